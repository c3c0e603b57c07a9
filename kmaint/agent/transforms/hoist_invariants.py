"""Loads and scalar arithmetic that a loop repeats although nothing in it changes them, moved in front of the loop."""

from __future__ import annotations

import ast

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.dependence import PURE, WRITES
from kmaint.agent.transforms.source import blocks, edited, kernel_parts, without
from kmaint.spans import Function, Replacement, Source, assigned, calls, names, parameters, tl_name


def apply(subject: Subject) -> list[Edited]:
    """One variant for each loop that repeats something."""
    source, kernel = kernel_parts(subject)
    variants = []
    for block in blocks(kernel):
        for loop in block:
            if isinstance(loop, ast.For):
                moved = _invariant(kernel, loop)
                if moved:
                    note = f"moved in front of the loop: {', '.join(sorted(set.union(*map(assigned, moved))))}"
                    variants.append(edited(source, _move(source, loop, moved), note))
    if not variants:
        raise NotApplicable("no loop repeats a load or a computation that nothing in it changes")
    return variants


def _invariant(kernel: Function, loop: ast.For) -> list[ast.Assign]:
    """Statements straight in the body, each of its own name, whose inputs the loop never binds."""
    bound = dict.fromkeys(assigned(loop), 0)
    for node in ast.walk(loop):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound[node.id] += 1
    moved: list[ast.Assign] = []
    free: set[str] = set()
    for statement in loop.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                inputs = names(value) & set(bound) - free
                if (
                    not inputs
                    and bound[name] == 1
                    and _unread_outside(kernel, loop, name)
                    and _safe(kernel, loop, value)
                ):
                    moved.append(statement)
                    free.add(name)
            case _:
                continue
    return [item for item in moved if not isinstance(item.value, (ast.Name, ast.Constant))]


def _unread_outside(kernel: Function, loop: ast.For, name: str) -> bool:
    """Whether a name lives in the loop only: then a loop of no turns sees no difference."""
    inside = set(ast.walk(loop))
    return not any(isinstance(node, ast.Name) and node.id == name and node not in inside for node in ast.walk(kernel))


def _safe(kernel: Function, loop: ast.For, value: ast.expr) -> bool:
    """Whether a value may be computed even if the loop makes no turn, and is the same at each."""
    for call in ast.walk(value):
        if not isinstance(call, ast.Call) or tl_name(call) in PURE:
            continue
        if isinstance(call.func, ast.Attribute) and call.func.attr == "to":
            continue
        # A bare parameter points at something whatever the loop does; a computed address may not.
        whole = len(call.args) == 1 and isinstance(call.args[0], ast.Name) and call.args[0].id in parameters(kernel)
        if tl_name(call) != "load" or not whole or any(calls(loop, *WRITES)):
            return False
    return True


def _move(source: Source, loop: ast.For, moved: list[ast.Assign]) -> list[Replacement]:
    if len(moved) == len(loop.body):
        raise NotApplicable("the loop would be left empty")
    return [
        source.before(loop, [source.of(statement) for statement in moved]),
        *(without(source, statement) for statement in moved),
    ]


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, scale_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    total = 0.0
    for start in range(0, columns, BLOCK):
        offsets = start + tl.arange(0, BLOCK)
        scale = tl.load(scale_ptr)
        x = tl.load(x_ptr + row * columns + offsets, mask=offsets < columns, other=0.0)
        total += tl.sum(x * scale, axis=0)
    tl.store(y_ptr + row, total)


def launch(x: torch.Tensor) -> torch.Tensor:
    rows, columns = x.shape
    y = torch.empty(rows, dtype=x.dtype, device=x.device)
    kernel[(rows,)](x, y, torch.full((), 2.0, device=x.device), columns, BLOCK=16)
    return y
"""

HOIST_INVARIANTS = Transform(
    name="hoist_invariants",
    why="A load in a loop is waited for at every turn; a compiler that sees a store between may not move it.",
    precondition="A statement straight in a loop reads nothing the loop binds; a load, a bare parameter with no store.",
    addresses=("latency", "compute"),
    rounding=False,
    before=BEFORE,
    after=BEFORE.replace("        scale = tl.load(scale_ptr)\n", "").replace(
        "    for start in", "    scale = tl.load(scale_ptr)\n    for start in"
    ),
    apply=apply,
)
