"""Values narrowed only to be widened again by the next operation, left as wide as they are."""

from __future__ import annotations

import ast

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.source import assignments, edited, kernel_parts
from kmaint.spans import Function, Replacement, calls, tl_name

WIDE = ("tl.float32", "tl.float64")
NARROW = ("tl.bfloat16", "tl.float16")
KEEPS = {
    "abs", "cos", "exp", "exp2", "log", "log2", "max", "maximum", "min", "minimum", "rsqrt", "sigmoid", "sin", "sqrt",
    "sum", "where",
}  # fmt: skip


def apply(subject: Subject) -> list[Edited]:
    """One variant without any of them."""
    source, kernel = kernel_parts(subject)
    edits: list[Replacement] = []
    for node in ast.walk(kernel):
        match node:
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right=right):
                for value, other in ((left, right), (right, left)):
                    inner = _narrowed(kernel, value)
                    if inner is not None and _is_wide(kernel, other):
                        edits.append(source.replace(value, source.of(inner)))
            case ast.Call(func=ast.Attribute(value=value, attr="to"), args=[of]) if ast.unparse(of) in WIDE:
                inner = _narrowed(kernel, value)
                if inner is not None:
                    edits.append(source.replace(node, source.of(inner)))
            case _:
                continue
    if not edits:
        raise NotApplicable("no float32 value is narrowed in front of an operation that widens it again")
    return [edited(source, edits, f"{len(edits)} casts to a narrower type and back left out")]


def _narrowed(kernel: Function, value: ast.expr) -> ast.expr | None:
    """The float32 value inside a cast to half precision; None for anything else, and for what would need brackets."""
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name() | ast.Call() as inner, attr="to"), args=[of], keywords=[]):
            return inner if _is_narrow(kernel, of) and _is_wide(kernel, inner) else None
        case _:
            return None


def _is_narrow(kernel: Function, kind: ast.expr) -> bool:
    """Half precision by name, or the type of a tensor that the kernel itself widens to float32 when it loads it."""
    if ast.unparse(kind) in NARROW:
        return True
    match kind:
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id=pointer), attr="dtype"), attr="element_ty"):
            return any(
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "to"
                and [ast.unparse(of) for of in node.args] == ["tl.float32"]
                and any(call.args and ast.unparse(call.args[0]).startswith(pointer) for call in calls(node, "load"))
                for node in ast.walk(kernel)
            )
        case _:
            return False


def _is_wide(kernel: Function, node: ast.expr, depth: int = 8) -> bool:
    """Whether a value is seen to be float32: cast to it, or made of such values."""
    if depth == 0:
        return False
    match node:
        case ast.Call(func=ast.Attribute(attr="to"), args=[of]):
            return ast.unparse(of) in WIDE
        case ast.Call(args=[*arguments]) if tl_name(node) in KEEPS and arguments:
            return any(_is_wide(kernel, item, depth - 1) for item in arguments[tl_name(node) == "where" :])
        case ast.BinOp(left=left, right=right):
            return _is_wide(kernel, left, depth - 1) or _is_wide(kernel, right, depth - 1)
        case ast.Name(id=name):
            bound = assignments(kernel, name)
            values = [item.value for item in bound if item.value is not None]
            return bool(values) and all(_is_wide(kernel, value, depth - 1) for value in values)
        case _:
            return False


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < n).to(tl.float32)
    gate = x * tl.sigmoid(x)
    y = x * gate.to(x_ptr.dtype.element_ty)
    tl.store(y_ptr + offsets, y, mask=offsets < n)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    kernel[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), BLOCK=64)
    return y
"""

CAST_ROUND_TRIPS = Transform(
    name="cast_round_trips",
    why="A cast down and back is two conversions and a rounding for each element.",
    precondition="A value seen to be float32 is cast to half precision and then meets another float32 value.",
    addresses=("compute",),
    rounding=True,
    before=BEFORE,
    after=BEFORE.replace("gate.to(x_ptr.dtype.element_ty)", "gate"),
    apply=apply,
)
