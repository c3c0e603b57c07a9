"""Loops over a number that is known when the kernel is compiled, written out turn by turn."""

from __future__ import annotations

import ast

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.launches import default_values, launches
from kmaint.agent.transforms.source import edited, kernel_parts
from kmaint.spans import Replacement, Source, constexprs, names

MOST_TURNS = 32
"""More of them is more code than an instruction cache likes, and minutes of compiling."""


def apply(subject: Subject) -> list[Edited]:
    """One variant with every such loop written out, then each alone where there are several."""
    source, kernel = kernel_parts(subject)
    loops = [node for node in ast.walk(kernel) if isinstance(node, ast.For) and _is_static(source, subject, node)]
    if not loops:
        raise NotApplicable("no loop over a plain range has bounds that are compile-time numbers alone")
    edits = {loop: _written_out(source, loop) for loop in loops}
    choices = [loops, *([loop] for loop in loops if len(loops) > 1)]
    return [
        edited(source, [edits[loop] for loop in choice], f"written out: the loops over {_named(source, choice)}")
        for choice in choices
    ]


def _is_static(source: Source, subject: Subject, loop: ast.For) -> bool:
    _, kernel = kernel_parts(subject)
    match loop:
        case ast.For(iter=ast.Call(func=ast.Name(id="range"), args=bounds, keywords=[]), orelse=[]):
            leaves = any(isinstance(node, ast.Break | ast.Continue | ast.Return) for node in ast.walk(loop))
            known = all(names(bound) <= constexprs(kernel) for bound in bounds)
            arithmetic = not any(isinstance(node, ast.Call) for bound in bounds for node in ast.walk(bound))
            return not leaves and known and arithmetic and not _too_many(source, subject, bounds)
        case _:
            return False


def _too_many(source: Source, subject: Subject, bounds: list[ast.expr]) -> bool:
    """Whether the text says that there are more turns than it is sensible to write out; unknown is tried."""
    end = bounds[0] if len(bounds) == 1 else bounds[1]
    if len(bounds) == 3:
        return False
    values: list[ast.expr] = [end]
    if isinstance(end, ast.Name):
        given = [launch.arguments.get(end.id) for launch in launches(source, subject)]
        hosts = [launch.host for launch in launches(source, subject)]
        values = [
            value
            for host, item in zip(hosts, given, strict=True)
            for value in (default_values(host, item.id) if isinstance(item, ast.Name) else [item] if item else [])
        ]
    return any(
        isinstance(value, ast.Constant) and isinstance(value.value, int) and value.value > MOST_TURNS
        for value in values
    )


def _written_out(source: Source, loop: ast.For) -> Replacement:
    assert isinstance(loop.iter, ast.Call)
    return source.replace(loop.iter.func, "tl.static_range")


def _named(source: Source, loops: list[ast.For]) -> str:
    return ", ".join(dict.fromkeys(source.of(loop.target) for loop in loops))


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, columns, PARTS: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    total = tl.zeros((BLOCK,), tl.float32)
    for part in range(PARTS):
        offsets = part * BLOCK + tl.arange(0, BLOCK)
        total += tl.load(x_ptr + row * columns + offsets, mask=offsets < columns, other=0.0)
    tl.store(y_ptr + row, tl.sum(total, axis=0))


def launch(x: torch.Tensor) -> torch.Tensor:
    rows, columns = x.shape
    y = torch.empty(rows, dtype=x.dtype, device=x.device)
    kernel[(rows,)](x, y, columns, PARTS=triton.cdiv(columns, 16), BLOCK=16)
    return y
"""

STATIC_LOOPS = Transform(
    name="static_loops",
    why="Written out, the loads of all turns are in flight at once, and offsets become constants.",
    precondition="The bounds of a `range` are numbers or constexpr parameters, and nothing leaves the loop early.",
    addresses=("latency", "compute"),
    rounding=False,
    before=BEFORE,
    after=BEFORE.replace("range(PARTS)", "tl.static_range(PARTS)"),
    apply=apply,
)
