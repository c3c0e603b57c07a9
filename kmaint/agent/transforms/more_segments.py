"""A long loop that is split over programs already, split further where the grid leaves the device idle."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.dependence import ATOMICS, roots
from kmaint.agent.transforms.launches import Launch, all_launches, launches
from kmaint.agent.transforms.source import assignments, edited, kernel_parts
from kmaint.spans import Function, Source, assigned, calls, constexprs, names, parameters

FACTORS = (4, 8, 2)
FEW_PROGRAMS = 264
"""Two on each of the 132 multiprocessors of an H100 or H200: what waits for memory then leaves it idle."""
LENGTH = re.compile(r"max_?(seq_?len|kv_?len|context_?len)\w*(?<!_q)", re.IGNORECASE)
"""What launchers call the length of the longest context."""
LONG = 2048
"""A shorter one has but a few turns for each segment as it is."""
COMMENT = "# So few programs leave the device idle: cut finer, into scratch memory of this call's own."


@dataclass(frozen=True, kw_only=True)
class Split:
    """A launch that writes a part for each segment and one that joins them; `count`, `scratch` as the launcher says."""

    first: Launch
    second: Launch
    count: str
    scratch: list[str]
    others: list[ast.expr]
    """The other axes of the first launch's grid."""


def apply(subject: Subject) -> list[Edited]:
    """One variant for each factor; calls with more programs than that stay as they are."""
    source, _ = kernel_parts(subject)
    split = next((split for launch in launches(source, subject) for split in _splits(source, subject, launch)), None)
    if split is None:
        raise NotApplicable("no second launch joins what this one writes for each of a number of segments it is given")
    before = _first_use(split)
    guard = _guard(source, split, before)
    return [
        edited(source, [source.after(before, _lines(split, guard, factor))], f"{factor} times as many segments")
        for factor in FACTORS
    ]


def _splits(source: Source, subject: Subject, first: Launch) -> Iterator[Split]:
    for second in all_launches(source, subject.entry):
        if second.host is not first.host or second.call.lineno <= first.call.lineno or second.kernel == first.kernel:
            continue
        for grid in _grids(first):
            for axis in grid.elts:
                if isinstance(axis, ast.Name) and axis.id in set(parameters(first.host)) - assigned(first.host):
                    scratch = _scratch(source, first, second)
                    if scratch and _is_constant(source, first, axis.id) and _is_constant(source, second, axis.id):
                        others = [item for item in grid.elts if item is not axis]
                        yield Split(first=first, second=second, count=axis.id, scratch=scratch, others=others)


def _grids(launch: Launch) -> list[ast.Tuple]:
    """The tuples that a launch's grid may be."""
    if not isinstance(launch.grid, ast.Name):
        return [launch.grid] if isinstance(launch.grid, ast.Tuple) else []
    bound = assignments(launch.host, launch.grid.id)
    return [item.value for item in bound if isinstance(item.value, ast.Tuple)]


def _meant(host: Function, value: ast.expr) -> set[str]:
    """Parameters of the launcher that a value is, through one local variable and one choice."""
    if isinstance(value, ast.IfExp):
        return _meant(host, value.body) | _meant(host, value.orelse)
    if isinstance(value, ast.Name):
        if value.id in parameters(host):
            return {value.id}
        return {name for item in assignments(host, value.id) if item.value for name in _meant(host, item.value)}
    return set()


def _is_constant(source: Source, launch: Launch, count: str) -> bool:
    """Whether the number of segments is a constexpr of the kernel, and so part of how it lays out its scratch."""
    known = constexprs(source.functions[launch.kernel])
    return any(name in known and _meant(launch.host, value) == {count} for name, value in launch.arguments.items())


def _scratch(source: Source, first: Launch, second: Launch) -> list[str]:
    """Tensors that one launch writes and the other reads, which the launcher hands on and asks nothing of."""
    written = _handed(source, first, reads=False)
    read = _handed(source, second, reads=True)
    shared = [name for name in written if name in read]
    asked = {node.value.id for node in ast.walk(first.host) if _is_asked(node)}  # type: ignore[attr-defined]
    return [] if asked & set(shared) else shared


def _is_asked(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.value, ast.Name)


def _handed(source: Source, launch: Launch, *, reads: bool) -> list[str]:
    """Launcher parameters behind the pointers that a kernel only reads, or only writes."""
    kernel = source.functions[launch.kernel]
    found = []
    for name, value in launch.arguments.items():
        meant = _meant(launch.host, value)
        if len(meant) == 1 and name not in constexprs(kernel) and _uses(source, kernel, name) == {reads}:
            found.append(next(iter(meant)))
    return found


def _uses(source: Source, kernel: Function, name: str) -> set[bool]:
    """Whether memory behind a parameter is read (True), written (False), both, by the kernel and what it calls."""
    found = {
        reads
        for reads, kinds in ((True, ("load", *ATOMICS)), (False, ("store", *ATOMICS)))
        for call in calls(kernel, *kinds)
        if call.args and name in roots(kernel, call.args[0])
    }
    for call in ast.walk(kernel):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in source.functions:
            helper = source.functions[call.func.id]
            for own, value in zip(parameters(helper), call.args, strict=False):
                if isinstance(value, ast.Name) and value.id == name:
                    found |= _uses(source, helper, own)
    return found


def _first_use(split: Split) -> ast.stmt:
    """The statement of the launcher in front of the first that hands the scratch or the number on."""
    wanted = {split.count, *split.scratch}
    body = split.first.host.body
    for before, statement in itertools.pairwise(body):
        leaves = isinstance(statement, ast.If) and isinstance(statement.body[-1], ast.Return | ast.Raise)
        if not leaves and any(node.id in wanted for node in _used(statement)):
            return before
    raise NotApplicable("the launcher uses its scratch in its first statement")


def _used(statement: ast.stmt) -> Iterator[ast.Name]:
    """Names that a statement reads otherwise than to ask whether they are None."""
    asked = {
        node.left
        for node in ast.walk(statement)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is | ast.IsNot)
    }
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and node not in asked:
            yield node


def _guard(source: Source, split: Split, before: ast.stmt) -> str:
    """Few programs, a long context where the launcher is told of one, and the branch that makes both launches."""
    host = split.first.host
    known = {*parameters(host)}
    for statement in host.body[: host.body.index(before) + 1]:
        known |= assigned(statement)
    conditions: list[str] = []
    for node in ast.walk(host):
        if isinstance(node, ast.If) and any(inner is split.second.call for inner in ast.walk(node)):
            if not (isinstance(node.test, ast.Name) and node.test.id in known):
                raise NotApplicable("the second launch stands under a condition that is not known so early")
            conditions.append(node.test.id)
    if not {name for item in split.others for name in names(item)} - {"triton"} <= known:
        raise NotApplicable("the grid is not known where the number of segments is first used")
    factors = [source.of(item) if _is_atom(item) else f"({source.of(item)})" for item in split.others]
    long = [f"{name} >= {LONG}" for name in parameters(host) if LENGTH.fullmatch(name)]
    return " and ".join([*conditions, *long[:1], f"{' * '.join([*factors, split.count])} <= {FEW_PROGRAMS}"])


def _is_atom(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Constant)


def _lines(split: Split, guard: str, factor: int) -> Sequence[str]:
    return [
        COMMENT,
        f"if {guard}:",
        f"    {split.count} = {split.count} * {factor}",
        *(f"    {name} = {name}.new_empty({name}.numel() * {factor})" for name in split.scratch),
    ]


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, part_ptr, columns, PARTS: tl.constexpr, BLOCK: tl.constexpr):
    row, part = tl.program_id(0), tl.program_id(1)
    size = tl.cdiv(columns, PARTS)
    total = 0.0
    for start in range(part * size, tl.minimum((part + 1) * size, columns), BLOCK):
        offsets = start + tl.arange(0, BLOCK)
        mask = offsets < tl.minimum((part + 1) * size, columns)
        x = tl.load(x_ptr + row * columns + offsets, mask=mask, other=0.0)
        total += tl.sum(x, axis=0)
    tl.store(part_ptr + row * PARTS + part, total)


@triton.jit
def join(part_ptr, y_ptr, PARTS: tl.constexpr):
    row = tl.program_id(0)
    tl.store(y_ptr + row, tl.sum(tl.load(part_ptr + row * PARTS + tl.arange(0, PARTS)), axis=0))


def summed(x, y, parts, scratch):
    rows, columns = x.shape
    kernel[(rows, parts)](x, scratch, columns, PARTS=parts, BLOCK=16)
    join[(rows,)](scratch, y, PARTS=parts)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty(x.shape[0], dtype=x.dtype, device=x.device)
    summed(x, y, 4, torch.empty((x.shape[0], 4), device=x.device))
    return y
"""

MORE_SEGMENTS = Transform(
    name="more_segments",
    why="A loop over a long context is a row of waits for memory; with few sequences most of the device only watches.",
    precondition="A launcher is given a number of segments and scratch memory; a second launch joins the segments.",
    addresses=("latency", "imbalance", "occupancy"),
    rounding=True,
    before=BEFORE,
    after=BEFORE.replace(
        "    rows, columns = x.shape\n    kernel",
        f"""\
    rows, columns = x.shape
    {COMMENT}
    if rows * parts <= 264:
        parts = parts * 4
        scratch = scratch.new_empty(scratch.numel() * 4)
    kernel""",
    ),
    apply=apply,
)
