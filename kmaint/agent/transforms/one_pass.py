"""Two loops over the same row, fused for rows that fit one block: the row is read once and stays in registers."""

from __future__ import annotations

import ast
import itertools
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.dependence import WRITES
from kmaint.agent.transforms.launches import Launch, launches, resolve_grid
from kmaint.agent.transforms.merge_loads import calls_other
from kmaint.agent.transforms.source import blocks, edited, kernel_parts
from kmaint.spans import Function, Replacement, Source, assigned, calls, constexprs, names, parameters

FLAG = "ONE_BLOCK"
LIMITS = (8192, 32768)
"""Longest rows kept in registers, in elements: 64 for each thread at 4 warps, or at 16."""


@dataclass(frozen=True, kw_only=True)
class Passes:
    """Two loops `for _ in range(0, LENGTH, STEP)` in one block, and the statements from the first to the second."""

    first: ast.For
    second: ast.For
    between: list[ast.stmt]
    length: str
    step: str


def apply(subject: Subject) -> list[Edited]:
    """A branch for rows of at most 8192, then 32768 elements; longer rows take the loops as they were."""
    source, kernel = kernel_parts(subject)
    passes = next(_passes(kernel), None)
    if passes is None:
        raise NotApplicable("no two loops over the same range read the same addresses")
    if FLAG in names(source.tree) or kernel.args.vararg or kernel.args.kwarg or kernel.decorator_list[1:]:
        raise NotApplicable("the kernel's parameters cannot be added to")
    found = launches(source, subject)
    fused = [source.add_parameter(kernel, f"{FLAG}: tl.constexpr = False"), _branch(source, passes)]
    return [
        edited(
            source,
            [*fused, *(edit for launch in found for edit in _choose(source, launch, passes, limit))],
            f"rows of at most {limit} elements are read once",
        )
        for limit in LIMITS
    ]


def _passes(kernel: Function) -> Iterator[Passes]:
    for block in blocks(kernel):
        loops = [at for at, statement in enumerate(block) if isinstance(statement, ast.For)]
        for start, end in itertools.pairwise(loops):
            first, second = block[start], block[end]
            assert isinstance(first, ast.For) and isinstance(second, ast.For)
            ranges = _range(kernel, first), _range(kernel, second)
            if ranges[0] is None or ranges[0] != ranges[1] or not _straight(first) or not _straight(second):
                continue
            length, step = ranges[0]
            found = Passes(first=first, second=second, between=block[start + 1 : end], length=length, step=step)
            if any(any(calls(statement, "load")) for statement in _known(found)):
                yield found


def _range(kernel: Function, loop: ast.For) -> tuple[str, str] | None:
    match loop:
        case ast.For(
            target=ast.Name(),
            iter=ast.Call(
                func=ast.Name(id="range"),
                args=[ast.Constant(value=0), ast.Name(id=length), ast.Name(id=step)],
                keywords=[],
            ),
            orelse=[],
        ):
            free = length in parameters(kernel) and length not in assigned(kernel)
            return (length, step) if free and step in constexprs(kernel) else None
        case _:
            return None


def _straight(loop: ast.For) -> bool:
    return not any(isinstance(node, (ast.Break, ast.Continue, ast.Return)) for node in ast.walk(loop))


def _known(passes: Passes) -> list[ast.stmt]:
    """Statements of the second loop that the first has made already: same text, same inputs, nothing written since."""
    held: dict[str, tuple[str, set[str], bool]] = {}
    found = []
    first, second = (
        {target.id} for target in (passes.first.target, passes.second.target) if isinstance(target, ast.Name)
    )
    for statement in (*passes.first.body, *passes.between, *passes.second.body):
        late = statement in passes.second.body
        if late and first == second and ast.dump(statement) in held:
            found.append(statement)
            continue
        writes = any(calls(statement, *WRITES)) or calls_other(statement)
        bound = assigned(statement)
        held = {
            key: value
            for key, value in held.items()
            if not (value[1] | {value[0]}) & bound and not (writes and value[2])
        }
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name not in names(value):
                held[ast.dump(statement)] = (name, names(value) - {"tl"}, any(calls(value, "load")))
    return found


def _branch(source: Source, passes: Passes) -> Replacement:
    """The straight line under the flag, the loops under `else`; both as they were written, four columns deeper."""
    margin = " " * passes.first.col_offset
    known = _known(passes)
    kept = [statement for statement in passes.second.body if statement not in known]
    parts = [
        f"{source.of(passes.first.target)} = 0\n",
        _lines(source, passes.first.body),
        _between(source, passes),
        *(_lines(source, [statement]) for statement in kept),
    ]
    start = source.span(passes.first)[0] - passes.first.col_offset
    end = _line_end(source, passes.second)
    original = textwrap.dedent(source.text[start:end])
    text = f"if {FLAG}:\n{_indent(''.join(parts))}else:\n{_indent(original)}"
    return Replacement(start, end, textwrap.indent(text, margin))


def _between(source: Source, passes: Passes) -> str:
    start, end = _line_end(source, passes.first), source.span(passes.second)[0] - passes.second.col_offset
    return textwrap.dedent(source.text[start:end])


def _lines(source: Source, body: list[ast.stmt]) -> str:
    """Whole lines of statements, with the comments between them, at no indentation."""
    start = source.span(body[0])[0] - body[0].col_offset
    return textwrap.dedent(source.text[start : _line_end(source, body[-1])])


def _indent(text: str) -> str:
    return textwrap.indent(text, "    ")


def _line_end(source: Source, statement: ast.stmt) -> int:
    return source.text.index("\n", source.span(statement)[1]) + 1


def _choose(source: Source, launch: Launch, passes: Passes, limit: int) -> list[Replacement]:
    """One block for the whole row where it fits; the grid must not depend on the block."""
    length, step = launch.arguments.get(passes.length), launch.arguments.get(passes.step)
    if length is None or step is None or not isinstance(length, (ast.Name, ast.Attribute)):
        raise NotApplicable(f"the launch does not name {passes.length} and {passes.step}")
    grid = resolve_grid(launch)
    if grid is None or names(grid) & (names(step) | {"meta", "META"}):
        raise NotApplicable("the grid may depend on the block size")
    fits = f"0 < {source.of(length)} <= {limit}"
    block = f"triton.next_power_of_2({source.of(length)}) if {fits} else {source.of(step)}"
    return [source.replace(step, block), source.add_argument(launch.call, f"{FLAG}={fits}")]


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0) * columns
    total = 0.0
    for start in range(0, columns, BLOCK):
        offsets = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row + offsets, mask=offsets < columns, other=0.0)
        total += tl.sum(x, axis=0)
    mean = total / columns
    for start in range(0, columns, BLOCK):
        offsets = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row + offsets, mask=offsets < columns, other=0.0)
        tl.store(y_ptr + row + offsets, x - mean, mask=offsets < columns)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    rows, columns = x.shape
    kernel[(rows,)](x, y, columns, BLOCK=16)
    return y
"""

AFTER = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, columns, BLOCK: tl.constexpr, ONE_BLOCK: tl.constexpr = False):
    row = tl.program_id(0) * columns
    total = 0.0
    if ONE_BLOCK:
        start = 0
        offsets = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row + offsets, mask=offsets < columns, other=0.0)
        total += tl.sum(x, axis=0)
        mean = total / columns
        tl.store(y_ptr + row + offsets, x - mean, mask=offsets < columns)
    else:
        for start in range(0, columns, BLOCK):
            offsets = start + tl.arange(0, BLOCK)
            x = tl.load(x_ptr + row + offsets, mask=offsets < columns, other=0.0)
            total += tl.sum(x, axis=0)
        mean = total / columns
        for start in range(0, columns, BLOCK):
            offsets = start + tl.arange(0, BLOCK)
            x = tl.load(x_ptr + row + offsets, mask=offsets < columns, other=0.0)
            tl.store(y_ptr + row + offsets, x - mean, mask=offsets < columns)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    rows, columns = x.shape
    kernel[(rows,)](
        x,
        y,
        columns,
        BLOCK=triton.next_power_of_2(columns) if 0 < columns <= 8192 else 16,
        ONE_BLOCK=0 < columns <= 8192,
    )
    return y
"""

ONE_PASS = Transform(
    name="one_pass",
    why="A second loop over a row reads it again from the cache or from memory; a row that fits stays in registers.",
    precondition="Two loops in one block share `range(0, N, BLOCK)` and a load, and the grid does not depend on BLOCK.",
    addresses=("memory", "latency"),
    rounding=True,
    before=BEFORE,
    after=AFTER,
    apply=apply,
)
