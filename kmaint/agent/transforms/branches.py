"""Several variants of one file under guards: what was shipped stays as it is and serves whatever no guard names."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kmaint.agent.transforms.base import Edited, NotApplicable
from kmaint.agent.transforms.source import edited
from kmaint.spans import Function, Replacement, Source, reachable, region_spans

DEFAULTS = {"num_warps": "4", "num_stages": "3", "maxnreg": "None"}
"""What a launch option is where a launch does not give it."""


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A variant of the file, the sizes that it serves as Python writes them, and a word for those sizes."""

    guard: str
    name: str
    source: str


def compose(source: str, entry: str, branches: Sequence[Branch]) -> Edited:
    """The file with every branch in it: as choices between values in the launcher where that is all that differs.

    Else the functions that differ stand beside the shipped ones, and the entry hands a call on to them. NotApplicable
    where a variant changes more than functions.
    """
    base = Source(source)
    if entry not in base.functions:
        raise NotApplicable(f"no function {entry} at the top level")
    note = "; ".join(f"{branch.name}: {branch.guard}" for branch in branches)
    try:
        edits = _as_choices(base, entry, branches)
    except NotApplicable:
        edits = _as_functions(base, entry, branches)
    return edited(base, edits, note)


def _as_choices(base: Source, entry: str, branches: Sequence[Branch]) -> list[Replacement]:
    """Each expression of the entry that differs chooses; the guards are evaluated once, at its top."""
    function = base.functions[entry]
    chosen: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for branch in branches:
        variant = Source(branch.source)
        if [name for name in _changed(base, variant) if name != entry] or entry not in variant.functions:
            raise NotApplicable("functions other than the entry differ")
        found = list(_differences(base, variant, function, variant.functions[entry], branch.name))
        if not found:
            raise NotApplicable("the entry does not differ")
        for span, text in found:
            chosen.setdefault(span, []).append((branch.name, text))
    taken = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    if taken & {branch.name for branch in branches}:
        raise NotApplicable("the entry has such a name of its own")
    edits = [_choice(base, span, texts) for span, texts in chosen.items()]
    return [_at_top(base, function, [f"{branch.name} = {branch.guard}" for branch in branches]), *edits]


def _choice(base: Source, span: tuple[int, int], texts: Sequence[tuple[str, str]]) -> Replacement:
    """`A if large else B` over what stands there, or the text put in under each guard where nothing does."""
    start, end = span
    otherwise = base.text[start:end]
    if not otherwise:
        return Replacement(start, end, "".join(text for _, text in texts))
    for name, text in reversed(texts):
        otherwise = f"{text} if {name} else {otherwise}"
    argument = re.search(r"[(,=]\s*$", base.text[:start]) and re.match(r"\s*[,)\n]", base.text[end:])
    return Replacement(start, end, otherwise if argument else f"({otherwise})")


Difference = tuple[tuple[int, int], str]
"""Characters of the shipped file, none where something is added, and the text of the variant for them."""


def _differences(base: Source, variant: Source, one: ast.AST, two: ast.AST, name: str) -> Iterator[Difference]:
    """The smallest expressions that differ, launch options that were added, and `if` statements that were put in."""
    if ast.dump(one) == ast.dump(two):
        return
    if isinstance(one, ast.Call) and isinstance(two, ast.Call):
        yield from _call_differences(base, variant, (one, two), name)
        return
    same = type(one) is type(two) and all(
        _alike(getattr(one, field), getattr(two, field)) for field in one._fields if field != "ctx"
    )
    if isinstance(one, ast.expr) and isinstance(two, ast.expr) and (not same or not _children(one)):
        yield base.span(one), _atom(variant, two)
        return
    for field in one._fields:
        first, second = getattr(one, field), getattr(two, field)
        if isinstance(first, list) and isinstance(second, list):
            yield from _list_differences(base, variant, (first, second), name)
        elif isinstance(first, ast.AST) and isinstance(second, ast.AST):
            yield from _differences(base, variant, first, second, name)
        elif first != second:
            raise NotApplicable(f"a {type(one).__name__} differs in more than its expressions")


def _alike(one: object, two: object) -> bool:
    """Whether two fields can be gone into: both nodes, both lists, or the same value."""
    if isinstance(one, ast.AST):
        return isinstance(two, ast.AST)
    if isinstance(one, list):
        return isinstance(two, list) and (len(one) == len(two) or any(isinstance(item, ast.stmt) for item in one))
    return one == two


def _children(node: ast.expr) -> bool:
    return any(isinstance(child, ast.expr) for child in ast.iter_child_nodes(node))


def _call_differences(
    base: Source, variant: Source, pair: tuple[ast.Call, ast.Call], name: str
) -> Iterator[Difference]:
    """Argument by argument; an option of the launch that only the variant gives is given its default elsewhere."""
    one, two = pair
    given, wanted = _by_name(one), _by_name(two)
    options = wanted.keys() - given.keys()
    same = len(one.args) == len(two.args) and len(given) == len(wanted) - len(options)
    if not same or any(option not in DEFAULTS for option in options):
        yield base.span(one), variant.of(two)
        return
    yield from _differences(base, variant, one.func, two.func, name)
    for first, second in zip(one.args, two.args, strict=True):
        yield from _differences(base, variant, first, second, name)
    for option, value in wanted.items():
        if option in options:
            added = base.add_argument(one, f"{option}={variant.of(value)} if {name} else {DEFAULTS[option]}")
            yield (added.start, added.end), added.text
        else:
            yield from _differences(base, variant, given[option], value, name)


def _by_name(call: ast.Call) -> dict[str, ast.expr]:
    """Its keyword arguments; what is unpacked into it goes by its place among what is."""
    places = itertools.count()
    return {keyword.arg or f"**{next(places)}": keyword.value for keyword in call.keywords}


def _list_differences(
    base: Source, variant: Source, pair: tuple[list[ast.AST], list[ast.AST]], name: str
) -> Iterator[Difference]:
    """Statements one by one; an `if` that only the variant has asks for the guard as well."""
    one, two = list(pair[0]), list(pair[1])
    behind: ast.stmt | None = None
    while two:
        extra = len(two) > len(one)
        statement = two.pop(0)
        if extra and isinstance(statement, ast.If) and not statement.orelse and behind is not None:
            start, end = variant.span(statement)
            test = variant.span(statement.test)
            asked = f"{name} and {_atom(variant, statement.test)}"
            text = variant.text[start : test[0]] + asked + variant.text[test[1] : end]
            added = base.after(behind, [text])
            yield (added.start, added.end), added.text
            continue
        if not one:
            raise NotApplicable("the variant has more statements")
        behind = one[0] if isinstance(one[0], ast.stmt) else None
        yield from _differences(base, variant, one.pop(0), statement, name)
    if one:
        raise NotApplicable("the variant has fewer statements")


def _atom(source: Source, node: ast.expr) -> str:
    text = source.of(node)
    bare = isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Subscript | ast.Constant)
    return text if bare else f"({text})"


def _as_functions(base: Source, entry: str, branches: Sequence[Branch]) -> list[Replacement]:
    """Copies of what differs, below the entry, and a call handed on at its top."""
    function = base.functions[entry]
    place = _end_of(base, function)
    copies: list[str] = []
    lines: list[str] = []
    for branch in branches:
        variant = Source(branch.source)
        renamed = _renamed(base, variant, entry, branch.name)
        copies += [_copy(variant, name, renamed) for name in renamed]
        lines += [f"if {branch.guard}:", f"    return {renamed[entry]}({_passed_on(function)})"]
    return [
        _at_top(base, function, lines),
        Replacement(place, place, "".join(f"\n\n{copy}" for copy in copies)),
    ]


def _changed(base: Source, variant: Source) -> list[str]:
    """Functions of the variant that the file has otherwise, or not at all. NotApplicable where more is changed."""
    if _outside_functions(base) != _outside_functions(variant):
        raise NotApplicable("the variant changes more than functions")
    known = {name: ast.dump(function) for name, function in base.functions.items()}
    return [name for name, function in variant.functions.items() if ast.dump(function) != known.get(name)]


def _outside_functions(source: Source) -> list[str]:
    return [ast.dump(node) for node in source.tree.body if not isinstance(node, Function)]


def _renamed(base: Source, variant: Source, entry: str, name: str) -> dict[str, str]:
    """New names for what differs and for whatever leads from the entry to it, in the variant's order."""
    wanted = set(_changed(base, variant))
    if not wanted:
        raise NotApplicable("the variant is the shipped file")
    while True:
        more = {
            function.name
            for function in reachable(variant, entry)
            if function.name not in wanted and {n.id for n in ast.walk(function) if isinstance(n, ast.Name)} & wanted
        }
        if not more:
            break
        wanted |= more
    new = {one: f"{one}_{name}" for one in variant.functions if one in wanted}
    if entry not in new or set(new.values()) & set(base.functions):
        raise NotApplicable("the entry does not lead to what differs, or the file has such names already")
    return new


def _copy(variant: Source, name: str, renamed: Mapping[str, str]) -> str:
    """A function's text with its decorators, every renamed function by its new name."""
    function = variant.functions[name]
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    start, end = sum(map(len, variant.lines[: first - 1])), variant.span(function)[1]
    text = variant.text[start:end]
    edits = [
        (variant.span(node), renamed[node.id])
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and node.id in renamed
    ]
    for (at, after), new in sorted(edits, reverse=True):
        text = text[: at - start] + new + text[after - start :]
    return re.sub(rf"^def {name}\b", f"def {renamed[name]}", text, count=1, flags=re.MULTILINE) + "\n"


def _passed_on(function: Function) -> str:
    arguments = function.args
    words = [item.arg for item in (*arguments.posonlyargs, *arguments.args)]
    words += [f"*{arguments.vararg.arg}"] if arguments.vararg else []
    words += [f"{item.arg}={item.arg}" for item in arguments.kwonlyargs]
    words += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    return ", ".join(words)


def _at_top(base: Source, function: Function, lines: Sequence[str]) -> Replacement:
    """Lines put at the top of a function: below its docstring, above the comments of its first statement."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(function.body) > 1
    statement = function.body[1] if documented else first
    number = statement.lineno - 1
    while base.lines[number - 1].lstrip().startswith("#"):
        number -= 1
    at = sum(map(len, base.lines[:number]))
    margin = " " * statement.col_offset
    return Replacement(at, at, "".join(f"{margin}{line}\n" for line in lines))


def _end_of(base: Source, function: Function) -> int:
    """The end of the function's last line, which lies inside its region."""
    end = base.text.index("\n", base.span(function)[1]) + 1
    regions = region_spans(base.text)
    if regions and not any(start <= end <= stop for start, stop in regions):
        raise NotApplicable("the entry does not lie in a region, which is all a patch may change")
    return end
