"""A winner under names of its own, to stand beside the original: what it changed, and what leads there."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from kmaint.folder import KERNEL, split_regions
from kmaint.formatting import format_python
from kmaint.records.harness import Region
from kmaint.spans import Replacement, Source, replaced
from reintegrate.imports import COLUMNS
from reintegrate.kinds.win import Declined, Win
from reintegrate.names import bound_names, needed_names

COMPILED = ("jit", "autotune", "heuristics")
"""What decorates compiled code; a host function's own decorators register or wrap it, and the original keeps them."""

Key = tuple[str, str]


class Variant(Protocol):
    """What stands above the original launcher, the name in it that a branch calls, and every name that it binds."""

    @property
    def source(self) -> str: ...
    @property
    def launcher(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def region(self) -> Region:
        """The original launcher's."""

    def branched(self, test: str) -> str:
        """The original launcher's lines, with a branch among them that is taken where the test holds."""


@dataclass(frozen=True, kw_only=True)
class Copied:
    """A variant with a launcher of its own: a copy, with the winner's changes, of all on the way to them."""

    source: str
    launcher: str
    names: tuple[str, ...]
    region: Region
    shipped: str
    entry: str

    def branched(self, test: str) -> str:
        """With a first statement that hands the call on to the copy."""
        return with_branch(self.shipped, self.entry, test, f"{self.launcher}({handed_on(self.shipped, self.entry)})")


def variant_of(win: Win, suffix: str) -> Copied | Declined:
    """The functions on the way from the entry to what was changed, each with the suffix to its name."""
    harness = win.harness
    before, after = split_regions((harness.folder / KERNEL).read_text()), split_regions(win.source)
    regions = {(region.path, region.symbol): region for region in harness.regions}
    entry = next((key for key in regions if harness.entry in key[1].split(",")), None)
    if harness.level != "launcher" or entry is None:
        return Declined("the kernel is cut without its launcher, so there is no place for a branch")
    changed = {key for key in regions if before[key] != after[key]}
    chosen = _between(after, entry, changed)
    if elsewhere := sorted({path for path, _ in chosen} - {entry[0]}):
        return Declined(f"what it changes stands in {elsewhere[0]}, not beside the launcher")
    if any(regions[key].indent for key in chosen):
        return Declined("what it changes stands inside a class or function")
    names = {name: beside(name, suffix) for key in chosen for name in key[1].split(",")}
    own = {key: bound_names(after[key]) - set(key[1].split(",")) for key in chosen}
    texts = [_renamed(after[key], names).strip("\n") for key in chosen]
    source = format_python("\n\n\n".join(texts) + "\n", columns=COLUMNS)
    bound = (*names.values(), *sorted(name for found in own.values() for name in found))
    return Copied(
        source=source,
        launcher=names[harness.entry],
        names=bound,
        region=regions[entry],
        shipped=before[entry],
        entry=harness.entry,
    )


def beside(name: str, suffix: str) -> str:
    """A private name for the variant of what is called `name`."""
    return f"_{name.strip('_')}_{suffix}"


def _between(texts: Mapping[Key, str], entry: Key, changed: set[Key]) -> list[Key]:
    """The regions that the entry reaches and that reach a changed one, in the order of the file."""
    defines = {name: key for key in texts for name in key[1].split(",")}
    uses = {key: {defines[name] for name in needed_names(text) if name in defines} for key, text in texts.items()}

    def reached(start: Key) -> set[Key]:
        found, waiting = {start}, [start]
        while waiting:
            new = uses[waiting.pop()] - found
            found |= new
            waiting += new
        return found

    on_the_way = {key for key in reached(entry) if reached(key) & changed}
    return [key for key in texts if key in on_the_way | {entry}]


def _renamed(text: str, names: Mapping[str, str]) -> str:
    source = Source(text)
    replacements: list[Replacement] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id in names:
            replacements.append(source.replace(node, names[node.id]))
        if isinstance(node, ast.FunctionDef) and node in source.tree.body:
            replacements += _header(source, node, names)
    return replaced(text, replacements)


def _header(source: Source, node: ast.FunctionDef, names: Mapping[str, str]) -> list[Replacement]:
    """The name after `def`, and decorators of a host function taken away."""
    found: list[Replacement] = []
    if node.name in names:
        start = source.text.index(f"def {node.name}", source.span(node)[0]) + len("def ")
        found.append(Replacement(start, start + len(node.name), names[node.name]))
    texts = [ast.unparse(decorator) for decorator in node.decorator_list]
    if texts and not any(word in text for text in texts for word in COMPILED):
        start = source.text.rindex("@", 0, source.span(node.decorator_list[0])[0])
        found = [one for one in found if one.start >= start]
        found.append(Replacement(start, source.span(node)[0], ""))
    return found


def with_branch(launcher: str, name: str, test: str, call: str) -> str:
    """The launcher's text with a first statement that hands the call on."""
    return with_first(launcher, name, f"if {test}:\n        return {call}")


def with_first(launcher: str, name: str, statement: str) -> str:
    """The launcher's text with another first statement; no line of it is changed.

    It stands below the docstring and above the comments of what was the first statement.
    """
    source = Source(launcher)
    function = source.functions[name]
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    first = body[0] if body else function.body[-1]
    line = min([first.lineno, *(one.lineno for one in getattr(first, "decorator_list", []))])
    while line > 1 and (not source.lines[line - 2].strip() or source.lines[line - 2].lstrip().startswith("#")):
        line -= 1
    shown = format_python(f"def _():\n    {statement}\n", columns=COLUMNS)
    rest = source.lines[line - 1 :]
    gap = ["\n"] if rest and rest[0].strip() else []
    lines = [*source.lines[: line - 1], *shown.splitlines(keepends=True)[1:], *gap, *rest]
    return "".join(lines)


def handed_on(launcher: str, name: str) -> str:
    """The launcher's own parameters, as arguments of a call."""
    given = Source(launcher).functions[name].args
    words = [one.arg for one in (*given.posonlyargs, *given.args)]
    words += [f"*{given.vararg.arg}"] if given.vararg else []
    words += [f"{one.arg}={one.arg}" for one in given.kwonlyargs]
    words += [f"**{given.kwarg.arg}"] if given.kwarg else []
    return ", ".join(words)
