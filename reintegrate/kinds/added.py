"""A winner that leaves all code as it is and adds a branch of its own to the launcher: only that and what it calls.

A copy of the launcher beside the original would repeat every line behind the branch, none of which was changed.
"""

from __future__ import annotations

import ast
import itertools
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kmaint.folder import KERNEL, split_regions
from kmaint.formatting import format_python
from kmaint.records.harness import Region
from kmaint.spans import Source
from reintegrate.imports import COLUMNS
from reintegrate.kinds.variant import with_first
from reintegrate.kinds.win import Win
from reintegrate.names import bound_names, needed_names

INDENT = 4
"""Of a function's body at module level."""
LOOSER = (ast.IfExp, ast.Lambda, ast.NamedExpr)
"""And `or`: what binds less than `and`."""
DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


@dataclass(frozen=True)
class Insertion:
    """Whole lines that a text has and an earlier one had not, with all that it had before and behind them."""

    before: str
    lines: str
    behind: str


@dataclass(frozen=True, kw_only=True)
class Added:
    """Definitions that stand beside the launcher, and the branch in it that calls one of them, `launcher` by name.

    `names` are all that they bind, and `region` is the original launcher's.
    """

    source: str
    launcher: str
    names: tuple[str, ...]
    region: Region
    branch: Insertion
    entry: str

    def branched(self, test: str) -> str:
        """The launcher with the branch, and above it what the test says of the arguments as they came: where the branch
        stands, some may be others. No other line of it is changed."""
        local = test.partition("(")[0].lstrip("_")
        source = Source(f"def _():\n{self.branch.lines}")
        asked = source.functions["_"].body[0]
        assert isinstance(asked, ast.If)
        start, end = source.span(asked.test)
        own = source.text[start:end]
        if isinstance(asked.test, LOOSER) or (isinstance(asked.test, ast.BoolOp) and isinstance(asked.test.op, ast.Or)):
            own = f"({own})"
        told = format_python(f"{source.text[:start]}{local} and {own}{source.text[end:]}", columns=COLUMNS)
        _, _, branch = told.partition("\n")
        gap = "\n" * (len(self.branch.lines) - len(self.branch.lines.rstrip("\n")) - 1)
        launcher = f"{self.branch.before}{branch.lstrip(chr(10))}{gap}{self.branch.behind}"
        return with_first(launcher, self.entry, f"{local} = {test}")


def added_by(win: Win) -> Added | None:
    """What the winner adds; None where it changes a line that was there, or adds elsewhere or in another manner."""
    harness = win.harness
    before, after = split_regions((harness.folder / KERNEL).read_text()), split_regions(win.source)
    regions = {(region.path, region.symbol): region for region in harness.regions}
    home = next((key for key in regions if harness.entry in key[1].split(",")), None)
    changed = [key for key in regions if before[key] != after[key]]
    if harness.level != "launcher" or home not in changed:
        return None
    if any(key[0] != home[0] or regions[key].indent for key in changed):
        return None
    pairs = [(before[key], after[key]) for key in changed if key != home]
    launchers = [_around(text[home], harness.entry) for text in (before, after)]
    (above, shipped, below), (over, launcher, under) = launchers
    branch = inserted(shipped, launcher, _is_branch)
    added = [inserted(old, new, _defines) for old, new in ((above, over), *pairs, (below, under))]
    if branch is None or None in added:
        return None
    blocks = [one.lines.strip("\n") for one in added if one and one.lines.strip()]
    source = format_python("\n\n\n".join(blocks) + "\n", columns=COLUMNS)
    names = bound_names(source)
    functions = {one.name for one in ast.parse(source).body if isinstance(one, ast.FunctionDef)}
    called = sorted(needed_names(textwrap.dedent(branch.lines)) & functions)
    if not called or names & set().union(*map(bound_names, before.values())):
        return None
    return Added(
        source=source,
        launcher=called[0],
        names=tuple(sorted(names)),
        region=regions[home],
        branch=branch,
        entry=harness.entry,
    )


def inserted(old: str, new: str, fits: Callable[[str], bool]) -> Insertion | None:
    """The block of whole lines that the new text has beside all lines of the old, if there is one and it fits.

    Where a line like its first stands behind it too, the block may be taken to begin at either: what fits is chosen.
    """
    lines, whole = old.splitlines(keepends=True), new.splitlines(keepends=True)
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(lines, whole, strict=False)))
    for start in range(same, -1, -1):
        end = len(whole) - (len(lines) - start)
        if end < start or whole[end:] != lines[start:]:
            return None
        if fits("".join(whole[start:end])):
            return Insertion(*("".join(part) for part in (whole[:start], whole[start:end], whole[end:])))
    return None


def _around(text: str, name: str) -> tuple[str, str, str]:
    """What stands above the function of that name, the function with its decorators, and what stands below."""
    source = Source(text)
    function = source.functions[name]
    first = min([function.lineno, *(one.lineno for one in function.decorator_list)]) - 1
    last = function.end_lineno or first
    above, own, below = source.lines[:first], source.lines[first:last], source.lines[last:]
    return "".join(above), "".join(own), "".join(below)


def _is_branch(block: str) -> bool:
    """Whether it is one `if` at the indentation of a function's body, from which there is no way to the lines below."""
    body = _parsed(textwrap.dedent(block))
    margins = {len(line) - len(line.lstrip()) for line in block.splitlines() if line.strip()}
    one = body[0] if body and len(body) == 1 else None
    left = isinstance(one, ast.If) and not one.orelse and isinstance(one.body[-1], ast.Return | ast.Raise)
    return left and min(margins) == INDENT


def _defines(block: str) -> bool:
    """Whether it does nothing but bind names, if anything."""
    body = _parsed(block)
    return body is not None and all(isinstance(one, DEFINITIONS) or _is_docstring(one) for one in body)


def _is_docstring(one: ast.stmt) -> bool:
    return isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str)


def _parsed(text: str) -> Sequence[ast.stmt] | None:
    try:
        return ast.parse(text).body
    except SyntaxError:
        return None
