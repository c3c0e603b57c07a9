"""Loop hints: loads of the next turns asked for while this one computes, several turns written out, loops made one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.source import edited, kernel_parts
from kmaint.spans import Function, Replacement, Source, calls

HINTS = ("num_stages=3", "num_stages=2", "num_stages=4", "loop_unroll_factor=2", "loop_unroll_factor=4", "num_stages=6")


def apply(subject: Subject) -> list[Edited]:
    """Each hint for every innermost loop that loads; then the outer loop of each nest flattened into the inner."""
    source, kernel = kernel_parts(subject)
    loops = [loop for loop in _ranges(kernel) if any(calls(loop, "load")) and not _inside(loop)]
    nests = [loop for loop in _ranges(kernel) if any(inner in loop.body for inner in loops)]
    if not loops:
        raise NotApplicable("no loop over a plain range loads anything")
    variants = [edited(source, [_hinted(source, loop, hint) for loop in loops], f"tl.range({hint})") for hint in HINTS]
    if nests:
        flat = [_hinted(source, loop, "flatten=True") for loop in nests]
        variants.append(edited(source, flat, "nested loops flattened into one"))
    return variants


def _ranges(kernel: Function) -> Iterator[ast.For]:
    """Loops over a plain `range`: a `tl.range` has been thought about."""
    for loop in ast.walk(kernel):
        match loop:
            case ast.For(iter=ast.Call(func=ast.Name(id="range"), keywords=[]), orelse=[]):
                yield loop
            case _:
                continue


def _inside(loop: ast.For) -> bool:
    """Whether a loop holds another: what is pipelined is the innermost."""
    return any(isinstance(node, ast.For | ast.While) for statement in loop.body for node in ast.walk(statement))


def _hinted(source: Source, loop: ast.For, hint: str) -> Replacement:
    assert isinstance(loop.iter, ast.Call)
    bounds = ", ".join(source.of(bound) for bound in loop.iter.args)
    return source.replace(loop.iter, f"tl.range({bounds}, {hint})")


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    total = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, columns, BLOCK):
        offsets = start + tl.arange(0, BLOCK)
        total += tl.load(x_ptr + row * columns + offsets, mask=offsets < columns, other=0.0)
    tl.store(y_ptr + row, tl.sum(total, axis=0))


def launch(x: torch.Tensor) -> torch.Tensor:
    rows, columns = x.shape
    y = torch.empty(rows, dtype=x.dtype, device=x.device)
    kernel[(rows,)](x, y, columns, BLOCK=16)
    return y
"""

PIPELINED_LOOPS = Transform(
    name="pipelined_loops",
    why="Only loads that feed tl.dot are pipelined unasked; others wait a full memory latency at every turn.",
    precondition="An innermost loop over a plain `range` loads from memory.",
    addresses=("latency", "memory"),
    rounding=False,
    before=BEFORE,
    after=BEFORE.replace("range(0, columns, BLOCK)", "tl.range(0, columns, BLOCK, num_stages=3)"),
    apply=apply,
)
