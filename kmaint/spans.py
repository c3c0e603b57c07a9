"""Python read for editing: where each node of a syntax tree stands, and replacements that leave all else as it was.

And, of any text, which lines an edit changed.
"""

from __future__ import annotations

import ast
import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

Function = ast.FunctionDef
Node = ast.expr | ast.stmt | ast.arg | ast.keyword


@dataclass(frozen=True)
class Replacement:
    """Characters `start` to `end` (excluded) of the source give way to `text`."""

    start: int
    end: int
    text: str


class Source:
    """The text of a kernel.py, its syntax tree, and the way from one to the other."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self.lines = text.splitlines(keepends=True)
        self._starts = [0]
        for line in self.lines:
            self._starts.append(self._starts[-1] + len(line))

    @functools.cached_property
    def functions(self) -> dict[str, Function]:
        """Those of the module, the last of a name; under conditions such as `if HAS_TRITON` too, there the first."""
        found: dict[str, Function] = {}
        for node in _module_level(self.tree.body):
            if isinstance(node, Function):
                found.setdefault(node.name, node)
        return {**found, **{node.name: node for node in self.tree.body if isinstance(node, Function)}}

    def span(self, node: Node) -> tuple[int, int]:
        """First and one-past-last character; of an expression in brackets, without the brackets."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def of(self, node: Node) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def replace(self, node: Node, text: str) -> Replacement:
        return Replacement(*self.span(node), text)

    def before(self, statement: ast.stmt, lines: Sequence[str]) -> Replacement:
        """Lines put above a statement, at its indentation."""
        start = self._starts[statement.lineno - 1]
        margin = " " * statement.col_offset
        return Replacement(start, start, "".join(f"{margin}{line}\n" for line in lines))

    def after(self, statement: ast.stmt, lines: Sequence[str]) -> Replacement:
        """Lines put below a statement, at its indentation."""
        assert statement.end_lineno is not None
        start = self._starts[statement.end_lineno]
        margin = " " * statement.col_offset
        return Replacement(start, start, "".join(f"{margin}{line}\n" for line in lines))

    def add_argument(self, call: ast.Call, text: str) -> Replacement:
        """A last argument for a call, but in front of `**options` where it has them."""
        unpacked = [keyword for keyword in call.keywords if keyword.arg is None]
        if unpacked:
            start = self.span(unpacked[0])[0]
            return Replacement(start, start, f"{text}, ")
        return self._append(self.span(call)[1] - 1, text, first=not (call.args or call.keywords))

    def add_parameter(self, function: Function, text: str) -> Replacement:
        """A last parameter for a function that takes neither `*args` nor `**options`."""
        last = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs][-1]
        body = self.span(function.body[0])[0]
        closing = self.text.rindex(")", self.span(last)[1], self._header_end(function, body))
        return self._append(closing, text, first=False)

    def _header_end(self, function: Function, body: int) -> int:
        if function.returns is not None:
            return self.text.rindex("->", 0, self.span(function.returns)[0])
        # Past the closing bracket only ":" and comments stand before the body.
        last = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs][-1]
        found = re.compile(r"\)\s*:").search(_without_comments(self.text[:body]), self.span(last)[1])
        assert found is not None
        return found.end()

    def _append(self, closing: int, text: str, *, first: bool) -> Replacement:
        """Text as the last of a bracketed list that closes at `closing`, on its own line where the others are."""
        bare = _without_comments(self.text[:closing])
        end = len(bare.rstrip())
        comma = bare.rstrip().endswith(",")
        if not comma:
            return Replacement(end, end, text if first else f", {text}")
        line_start = self.text.rfind("\n", 0, closing) + 1
        if self.text[line_start:closing].strip():
            return Replacement(end, end, f" {text}")
        margin = self.text[line_start:closing] + "    "
        return Replacement(line_start, line_start, f"{margin}{text},\n")

    def _offset(self, line: int, column: int) -> int:
        """Columns of `ast` count bytes of UTF-8; ours count characters."""
        text = self.lines[line - 1]
        if not text.isascii():
            column = len(text.encode()[:column].decode())
        return self._starts[line - 1] + column


class OverlapError(Exception):
    """Two of the edits would change the same characters."""


def in_order(replacements: Iterable[Replacement]) -> list[Replacement]:
    """The replacements in the order of the text, each once. OverlapError where two cannot both be made."""
    ordered = sorted(set(replacements), key=lambda item: (item.start, item.end))
    if any(first.end > second.start for first, second in itertools.pairwise(ordered)):
        raise OverlapError
    return ordered


def replaced(text: str, replacements: Iterable[Replacement]) -> str:
    """The text with the replacements made. OverlapError where two cannot both be made."""
    for item in reversed(in_order(replacements)):
        text = text[: item.start] + item.text + text[item.end :]
    return text


def changed_lines(before: str, after: str) -> tuple[int, int] | None:
    """First and last line of the text before that an edit touched: all above and below them is in both texts.

    Where lines only came in, the line that they follow, or the first. None where nothing changed, or nothing was there.
    """
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if old == new or not old:
        return None
    above = _alike(old, new)
    below = _alike(old[above:][::-1], new[above:][::-1])
    last = len(old) - below
    return (above + 1, last) if last > above else (max(above, 1), max(above, 1))


def _alike(first: Sequence[str], second: Sequence[str]) -> int:
    """How many lines both begin with."""
    pairs = zip(first, second, strict=False)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(first), len(second)))


def region_spans(text: str) -> list[tuple[int, int]]:
    """First and one-past-last character of each region, markers excluded; empty in a file without markers."""
    return [
        found.span(1) for found in re.finditer(r"^# region [^\n]*\n(.*?)^# endregion", text, re.MULTILINE | re.DOTALL)
    ]


def calls(node: ast.AST, *names: str) -> Iterator[ast.Call]:
    """Calls of `tl.NAME`, in source order."""
    found = [call for call in ast.walk(node) if isinstance(call, ast.Call) and tl_name(call) in names]
    yield from sorted(found, key=lambda call: (call.lineno, call.col_offset))


def tl_name(node: ast.AST) -> str:
    """`load` for `tl.load(...)`; empty for anything but a call into triton.language."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="tl"), attr=name)):
            return name
        case _:
            return ""


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """A call's argument, given by position or by name."""
    if position < len(call.args):
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def names(node: ast.AST) -> set[str]:
    """Every name read or written below a node."""
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


def assigned(node: ast.AST) -> set[str]:
    """Every name bound below a node."""
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}


def reachable(source: Source, entry: str) -> list[Function]:
    """The entry and the functions of this file that it calls or launches, directly or not; nothing where it is none."""
    found: list[Function] = []
    waiting = [entry]
    while waiting:
        function = source.functions.get(waiting.pop())
        if function is not None and function not in found:
            found.append(function)
            called = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
            launched = [node.value for node in called if isinstance(node, ast.Subscript)]
            waiting += [node.id for node in (*called, *launched) if isinstance(node, ast.Name)]
    return found


def constexprs(function: Function) -> set[str]:
    """Parameters annotated `tl.constexpr`."""
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return {item.arg for item in every if item.annotation is not None and "constexpr" in ast.unparse(item.annotation)}


def parameters(function: Function) -> list[str]:
    """Every parameter's name, in order."""
    return [item.arg for item in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]


def _module_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported, those of an `if` or `try` among them."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            yield from _module_level([*node.body, *getattr(node, "orelse", [])])


def _without_comments(text: str) -> str:
    """The text with comments blanked, so that a bracket or comma inside one is not seen."""
    return re.sub(r"#[^\n]*", lambda found: " " * len(found.group()), text)
