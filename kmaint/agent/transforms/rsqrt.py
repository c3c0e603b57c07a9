"""The reciprocal of a square root in one instruction, where a root is only ever divided by."""

from __future__ import annotations

import ast

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.reciprocal import inverse_of
from kmaint.agent.transforms.source import assignments, edited, kernel_parts
from kmaint.spans import Function, Replacement, Source, assigned, names, parameters, tl_name


def apply(subject: Subject) -> list[Edited]:
    """One variant with every such root replaced."""
    source, kernel = kernel_parts(subject)
    edits: list[Replacement] = []
    roots: list[str] = []
    for node in ast.walk(kernel):
        match node:
            case ast.BinOp(op=ast.Div(), right=ast.Call(args=[_]) as root) if tl_name(root) == "sqrt":
                edits += _divided(source, node, root)
                roots.append(source.of(root))
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(args=[_]) as root) if tl_name(root) == "sqrt":
                uses = _divisions_by(kernel, name)
                if uses:
                    edits += [source.replace(root.func, "tl.rsqrt"), source.replace(node.targets[0], inverse_of(name))]
                    edits += [edit for use in uses for edit in _multiplied(source, use, name)]
                    roots.append(name)
            case _:
                continue
    if not edits:
        raise NotApplicable("no tl.sqrt is used for nothing but being divided by")
    return [edited(source, edits, f"tl.rsqrt for one over {', '.join(roots)}")]


def _divided(source: Source, division: ast.BinOp, root: ast.Call) -> list[Replacement]:
    """`1 / tl.sqrt(x)` becomes `tl.rsqrt(x)`; `y / tl.sqrt(x)` becomes `y * tl.rsqrt(x)`."""
    if isinstance(division.left, ast.Constant) and division.left.value == 1:
        return [source.replace(division, f"tl.rsqrt({source.of(root.args[0])})")]
    return [_sign(source, division), source.replace(root.func, "tl.rsqrt")]


def _sign(source: Source, division: ast.BinOp) -> Replacement:
    start, end = source.span(division.left)[1], source.span(division.right)[0]
    return Replacement(start, end, source.text[start:end].replace("/", "*", 1))


def _divisions_by(kernel: Function, name: str) -> list[ast.BinOp]:
    """Every use of a name bound once, where all of them divide by it; else nothing."""
    if name in parameters(kernel) or len(assignments(kernel, name)) != 1 or inverse_of(name) in names(kernel):
        return []
    if (
        sum(name in assigned(node) for node in ast.walk(kernel) if isinstance(node, ast.stmt) and node is not kernel)
        > 1
    ):
        return []
    uses = [node for node in ast.walk(kernel) if isinstance(node, ast.Name) and node.id == name]
    divisions = [
        node
        for node in ast.walk(kernel)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and node.right in uses
    ]
    return divisions if len(divisions) == len(uses) - 1 else []


def _multiplied(source: Source, division: ast.BinOp, name: str) -> list[Replacement]:
    if isinstance(division.left, ast.Constant) and division.left.value == 1:
        return [source.replace(division, inverse_of(name))]
    return [_sign(source, division), source.replace(division.right, inverse_of(name))]


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    mask = offsets < columns
    x = tl.load(x_ptr + row * columns + offsets, mask=mask, other=0.0)
    rms = tl.sqrt(tl.sum(x * x, axis=0) / columns + 1e-6)
    tl.store(y_ptr + row * columns + offsets, x / rms, mask=mask)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    rows, columns = x.shape
    kernel[(rows,)](x, y, columns, BLOCK=triton.next_power_of_2(columns))
    return y
"""

RSQRT = Transform(
    name="rsqrt",
    why="The hardware has an instruction for one over a root; a root and then a division are a dozen and two waits.",
    precondition="A `tl.sqrt`, by itself or by a name bound once, is used for nothing but being divided by.",
    addresses=("compute", "latency"),
    rounding=True,
    before=BEFORE,
    after=BEFORE.replace("rms = tl.sqrt", "inv_rms = tl.rsqrt").replace("x / rms", "x * inv_rms"),
    apply=apply,
)
