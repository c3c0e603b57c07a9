"""Gives one program several rows: a program axis becomes a dimension of the tiles, as vmap does over program ids."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.launches import Launch, launches
from kmaint.agent.transforms.source import edited, has_loop, kernel_parts
from kmaint.agent.transforms.tile_edits import Edits
from kmaint.agent.transforms.tile_kernel import axis_calls, lift_kernel
from kmaint.agent.transforms.tile_launch import edit_launch, edit_parameters, edit_warps, plan_cut
from kmaint.agent.transforms.tile_values import Axis
from kmaint.spans import Function, Source, names, parameters

ROWS = (8, 4, 16, 2, 32)
"""Those first that most often fill four warps with 16-byte loads: rows of a head or a group are 128 to 512 bytes."""
WARPS = (2, 4, 1, None)
"""None leaves the launch's own."""
ROWS_MARK, WARPS_MARK = "ξ", "ψ"
"""Names one column wide that stand for these numbers until the text is formatted, once for all of them."""


def tile_programs(subject: Subject) -> list[Edited]:
    """Variants with 2 to 32 rows a program along each axis that can be lifted, the most promising first."""
    source, kernel = kernel_parts(subject)
    sites = launches(source, subject)
    _only_launched(source, kernel, sites)
    found: list[list[Edited]] = []
    reasons: list[str] = []
    for axis in (2, 1, 0):
        if axis_calls(kernel, "program_id", axis):
            try:
                found.append(list(_variants(subject, source, kernel, axis)))
            except NotApplicable as reason:
                reasons.append(f"axis {axis}: {reason}")
    if not any(found):
        raise NotApplicable("; ".join(reasons) or "no program id is read by a literal axis")
    return [variant for turn in range(max(map(len, found))) for own in found for variant in own[turn : turn + 1]]


def _variants(subject: Subject, source: Source, kernel: Function, axis: int) -> Iterator[Edited]:
    """By diagonals of ROWS and WARPS, so that a cut of the list keeps some of each."""
    sites = launches(source, subject)
    order = [(rows, warps) for rows in ROWS for warps in WARPS]
    possible = subject.fits if has_loop(kernel) else subject.suits
    order = [(rows, warps) for rows, warps in order if possible(rows=rows, warps=warps or subject.warps)]
    if not order:
        raise NotApplicable("a row is too large for several to fit in the registers of one program")
    written = {False: _written(source, kernel, sites, axis, sets_warps=False)}
    with contextlib.suppress(NotApplicable):  # a launch may take its warps from where no edit reaches
        written[True] = _written(source, kernel, sites, axis, sets_warps=True)
    order = [(rows, warps) for rows, warps in order if (warps is not None) in written]
    for rows, warps in sorted(order, key=lambda pair: ROWS.index(pair[0]) + WARPS.index(pair[1])):
        marked = written[warps is not None]
        note = f"{rows} rows of program axis {axis} per program"
        yield replace(
            marked,
            source=marked.source.replace(ROWS_MARK, str(rows)).replace(WARPS_MARK, str(warps)),
            note=note if warps is None else f"{note}, num_warps={warps}",
        )


def _written(source: Source, kernel: Function, sites: Sequence[Launch], axis: int, *, sets_warps: bool) -> Edited:
    """The edited source, formatted, with marks where its numbers go."""
    if ROWS_MARK in source.text or WARPS_MARK in source.text:
        raise NotApplicable(f"the source holds {ROWS_MARK} or {WARPS_MARK}, which stand for numbers here")
    edits = Edits(source)
    counted = _count_statement(kernel, axis)
    reads_count = ast.unparse(counted.targets[0]) if counted else None
    cuts = [plan_cut(kernel, site, axis, reads_count=reads_count) for site in sites]
    if len({(cut.parameter, cut.passed) for cut in cuts}) > 1:
        cuts = [replace(cut, passed=False, parameter=reads_count or "num_rows") for cut in cuts]
    cut = cuts[0]
    lift_kernel(edits, kernel, _axis(kernel, axis, cut.parameter))
    edit_parameters(edits, kernel, cut)
    for site, own in zip(sites, cuts, strict=True):
        edit_launch(edits, kernel, site, own, ROWS_MARK)
        if sets_warps:
            edit_warps(edits, site, WARPS_MARK)
    if counted is not None and not cut.passed:
        edits.replace_span(*edits.lines_of(counted), "")  # the parameter has its name
    return edited(source, edits.replacements(), "")


def _only_launched(source: Source, kernel: Function, sites: Sequence[Launch]) -> None:
    named = sum(isinstance(node, ast.Name) and node.id == kernel.name for node in ast.walk(source.tree))
    if named != len(sites):
        raise NotApplicable(f"{kernel.name} is used in other ways than being launched by {sites[0].host.name}")


def _axis(kernel: Function, number: int, count: str) -> Axis:
    """The axis with names for its rows that the kernel does not use itself."""
    taken = {*parameters(kernel), *names(kernel), count}
    index, mask = (
        next(name for name in (own, f"lifted_{own}", f"program_{own}") if name not in taken)
        for own in ("row_idx", "row_mask")
    )
    return Axis(number=number, depth=0, count=count, index=index, mask=mask)


def _count_statement(kernel: Function, axis: int) -> ast.Assign | None:
    """`name = tl.num_programs(axis)`, where that is the only place that asks for it."""
    calls = axis_calls(kernel, "num_programs", axis)
    for statement in kernel.body:
        match statement:
            case ast.Assign(targets=[ast.Name()], value=value) if [value] == calls:
                return statement
    return None


BEFORE = """import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, out_ptr, N, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    mask = cols < N
    x = tl.load(x_ptr + row * N + cols, mask=mask, other=0.0)
    top = tl.max(x, axis=0)
    tl.store(out_ptr + row * N + cols, x / top, mask=mask)


def launch(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    rows, n = x.shape
    kernel[(rows,)](x, out, n, triton.next_power_of_2(n))
    return out
"""

AFTER = """import torch
import triton
import triton.language as tl


@triton.jit
def kernel(
    x_ptr, out_ptr, N, BLOCK: tl.constexpr, rows, ROWS_PER_PROGRAM: tl.constexpr
):
    row = (tl.program_id(0) * ROWS_PER_PROGRAM + tl.arange(0, ROWS_PER_PROGRAM))[
        :, None
    ]
    row_mask = row < rows
    cols = tl.arange(0, BLOCK)
    mask = cols < N
    x = tl.load(x_ptr + row * N + cols, mask=mask & row_mask, other=0.0)
    top = tl.max(x, axis=1, keep_dims=True)
    tl.store(out_ptr + row * N + cols, x / top, mask=mask & row_mask)


def launch(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    rows, n = x.shape
    rows_per_program = 8
    kernel[(triton.cdiv(rows, rows_per_program),)](
        x, out, n, triton.next_power_of_2(n), rows, rows_per_program, num_warps=2
    )
    return out
"""

TILE_PROGRAMS = Transform(
    name="tile_programs",
    why="A program per row of a few hundred bytes spends its time on latency: too few bytes are in flight.",
    precondition="A program axis counts rows in the launch's grid; no loop or helper of the kernel depends on the row.",
    addresses=("latency", "memory", "occupancy"),
    rounding=True,
    before=BEFORE,
    after=AFTER,
    apply=tile_programs,
)
