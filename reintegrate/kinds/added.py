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
DEFINITIONS = (ast.FunctionDef, ast.ClassDef)


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
    changed = sorted((key for key in regions if before[key] != after[key]), key=lambda key: regions[key].line)
    if harness.level != "launcher" or home not in changed or harness.entry not in Source(after[home]).functions:
        return None
    if any(key[0] != home[0] or regions[key].indent for key in changed):
        return None
    above, shipped, below = _around(before[home], harness.entry)
    over, launcher, under = _around(after[home], harness.entry)
    branch = inserted(shipped, launcher, _is_branch)
    own = {key: ((above, over), (below, under)) if key == home else ((before[key], after[key]),) for key in changed}
    added = [inserted(old, new, _defines) for key in changed for old, new in own[key]]
    if branch is None or None in added or not _is_apart(branch, shipped, launcher):
        return None
    blocks = [one.lines.strip("\n") for one in added if one and one.lines.strip()]
    source = format_python("\n\n\n".join(blocks) + "\n", columns=COLUMNS)
    names, called = bound_names(source), _called(branch, source)
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


def _called(branch: Insertion, source: str) -> list[str]:
    """The functions of the source that the branch goes on to, in its order; what its test asks is none of them."""
    functions = {one.name for one in ast.parse(source).body if isinstance(one, ast.FunctionDef)}
    taken = ast.parse(textwrap.dedent(branch.lines)).body[0]
    assert isinstance(taken, ast.If)
    return [n.id for one in taken.body for n in ast.walk(one) if isinstance(n, ast.Name) and n.id in functions]


def _is_apart(branch: Insertion, shipped: str, launcher: str) -> bool:
    """Whether all else of the launcher is to Python what it was: a statement of its own, that takes over no `else`, and
    makes no name local that the rest has from elsewhere."""
    old, new = _function(shipped), _function(launcher)
    first = branch.before.count("\n") + 1
    last = first + branch.lines.count("\n")
    inside = [one for one in new.body if first <= one.lineno < last]
    rest = [one for one in new.body if one not in inside]
    if len(inside) != 1 or [*map(ast.dump, rest)] != [*map(ast.dump, old.body)]:
        return False
    bound = {node.id for node in ast.walk(inside[0]) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {(alias.asname or alias.name).split(".")[0] for node in ast.walk(inside[0]) for alias in _aliases(node)}
    return not bound & needed_names(shipped)


def _aliases(node: ast.AST) -> list[ast.alias]:
    return node.names if isinstance(node, ast.Import | ast.ImportFrom) else []


def _function(text: str) -> ast.FunctionDef:
    (found,) = [one for one in ast.parse(text).body if isinstance(one, ast.FunctionDef)]
    return found


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
        if fits("".join(whole[start:end])) and _same_else(lines, whole, start, end):
            return Insertion(*("".join(part) for part in (whole[:start], whole[start:end], whole[end:])))
    return None


def _same_else(old: Sequence[str], new: Sequence[str], start: int, end: int) -> bool:
    """Whether the statements of the old text are in the new one, each with its own decorators; of what is none, yes."""
    before, after = _parsed("".join(old)), _parsed("".join(new))
    if before is None or after is None or len(before) == len(after):
        return True
    rest = [one for one in after if not start < min([one.lineno, *(d.lineno for d in _decorators(one))]) <= end]
    return [*map(ast.dump, rest)] == [*map(ast.dump, before)]


def _decorators(one: ast.stmt) -> list[ast.expr]:
    return one.decorator_list if isinstance(one, ast.FunctionDef | ast.ClassDef) else []


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
    return body is not None and all(_binds(one) or _is_docstring(one) for one in body)


def _binds(one: ast.stmt) -> bool:
    targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.AnnAssign) else None
    return isinstance(one, DEFINITIONS) if targets is None else all(isinstance(name, ast.Name) for name in targets)


def _is_docstring(one: ast.stmt) -> bool:
    return isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str)


def _parsed(text: str) -> Sequence[ast.stmt] | None:
    try:
        return ast.parse(text).body
    except SyntaxError:
        return None
