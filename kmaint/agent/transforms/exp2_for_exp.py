"""Powers of two for powers of e: the hardware has only the former."""

from __future__ import annotations

import ast

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.source import assignments, edited, kernel_parts
from kmaint.spans import Function, Replacement, Source, assigned, calls, names

LOG2E = "LOG2E"
CONSTANT = f"{LOG2E}: tl.constexpr = 1.4426950408889634"


def apply(subject: Subject) -> list[Edited]:
    """The scale folded into the one that the loop applies already, where that is proven; else one product for each."""
    source, kernel = kernel_parts(subject)
    found = list(calls(kernel, "exp"))
    if not found:
        raise NotApplicable("the kernel calls no tl.exp")
    if LOG2E in names(source.tree):
        raise NotApplicable(f"the file has a {LOG2E} of its own")
    variants = []
    folded = _folded(source, kernel, found)
    if folded is not None:
        variants.append(edited(source, folded, "tl.exp2 with log2(e) folded into the scale of the scores"))
    edits = [edit for call in found for edit in _scaled(source, call)]
    constant = source.before(_first_statement(kernel), [CONSTANT])
    variants.append(edited(source, [*edits, constant], "tl.exp2(x * LOG2E) for tl.exp(x)"))
    return variants


def _scaled(source: Source, call: ast.Call) -> list[Replacement]:
    """Inserted around the argument, never over it: one tl.exp may stand inside another."""
    start, end = source.span(call.args[0])
    atom = isinstance(call.args[0], (ast.Name, ast.Call, ast.Subscript, ast.Attribute, ast.Constant))
    opening = [] if atom else [Replacement(start, start, "(")]
    closing = Replacement(end, end, f" * {LOG2E}" if atom else f") * {LOG2E}")
    return [source.replace(call.func, "tl.exp2"), *opening, closing]


def _folded(source: Source, kernel: Function, found: list[ast.Call]) -> list[Replacement] | None:
    """Edits that scale the scores by log2(e) once, where only maxima and differences of scores are ever used."""
    for loop in (node for node in ast.walk(kernel) if isinstance(node, ast.For)):
        for scaling in loop.body:
            match scaling:
                case ast.AugAssign(target=ast.Name(id=score), op=ast.Mult(), value=ast.Name(id=scale)):
                    earlier = loop.body[: loop.body.index(scaling)]
                    read = [node for item in earlier for node in ast.walk(item) if isinstance(node, ast.Name)]
                    if any(node.id == score and isinstance(node.ctx, ast.Load) for node in read):
                        continue
                    if scale not in assigned(kernel) and _only_differences(kernel, found, score, scale):
                        renames = [source.replace(call.func, "tl.exp2") for call in found]
                        above = source.before(loop, [f"scale_log2 = {scale} * 1.4426950408889634"])
                        return [*renames, above, source.replace(scaling.value, "scale_log2")]
                case _:
                    continue
    return None


def _only_differences(kernel: Function, found: list[ast.Call], score: str, scale: str) -> bool:
    """Whether every use of the scores, and of maxima of them, cancels a common factor: `exp(a - b)`, `max`, `where`."""
    scaled = {score}
    # A running maximum is bound from itself: every name of such an expression is taken in here, and judged below.
    bindings = [node for node in ast.walk(kernel) if isinstance(node, ast.Assign)]
    while True:
        more = {
            name
            for node in bindings
            if names(node.value) & scaled and _keeps_factor(node.value, scaled | names(node.value))
            for name in assigned(node)
        } - scaled
        if not more:
            break
        scaled |= more
    allowed: set[ast.AST] = set()
    for call in found:
        match call.args[0]:
            case ast.BinOp(op=ast.Sub(), left=left, right=right):
                if not (_keeps_factor(left, scaled) and _keeps_factor(right, scaled)):
                    return False
                allowed |= set(ast.walk(call))
            case _:
                return False
    for binding in bindings:
        if assigned(binding) <= scaled:
            neutral = _neutral(binding.value) or ast.unparse(binding.value).startswith("tl.dot")
            if not (neutral or _keeps_factor(binding.value, scaled)):
                return False
            allowed |= set(ast.walk(binding))
    for node in ast.walk(kernel):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id == score:
            allowed |= set(ast.walk(node))
    uses = [node for node in ast.walk(kernel) if isinstance(node, ast.Name) and node.id in scaled | {scale}]
    after_scaling = _scaled_once(kernel, score)
    return after_scaling and all(node in allowed for node in uses)


def _scaled_once(kernel: Function, score: str) -> bool:
    """One product in place, and no other binding between it and the uses but `tl.where`."""
    return sum(isinstance(item, ast.AugAssign) for item in assignments(kernel, score)) == 1


def _keeps_factor(node: ast.expr, scaled: set[str]) -> bool:
    """Whether an expression scales with the scores: built of them by maxima, selection and new axes, or infinite."""
    match node:
        case ast.Name(id=name):
            return name in scaled
        case ast.Subscript(value=value):
            return _keeps_factor(value, scaled)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="tl"), attr="maximum"), args=[left, right]):
            return all(_keeps_factor(item, scaled) or _neutral(item) for item in (left, right))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="tl"), attr="max"), args=[value, *_]):
            return _keeps_factor(value, scaled)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="tl"), attr="where"), args=[_, left, right]):
            return all(_keeps_factor(item, scaled) or _neutral(item) for item in (left, right))
        case _:
            return False


def _neutral(node: ast.expr) -> bool:
    """Minus infinity, as a number or a tile of it: the same after any positive scale."""
    text = ast.unparse(node).replace('"', "'")
    return "float('-inf')" in text and "+" not in text and "*" not in text


def _first_statement(kernel: Function) -> ast.stmt:
    first = kernel.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(kernel.body) > 1
    return kernel.body[1] if documented else first


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    mask = offsets < columns
    x = tl.load(x_ptr + row * columns + offsets, mask=mask, other=float("-inf"))
    y = tl.exp(x - tl.max(x, axis=0))
    tl.store(y_ptr + row * columns + offsets, y / tl.sum(y, axis=0), mask=mask)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    rows, columns = x.shape
    kernel[(rows,)](x, y, columns, BLOCK=triton.next_power_of_2(columns))
    return y
"""

EXP2_FOR_EXP = Transform(
    name="exp2_for_exp",
    why="The compiler turns tl.exp into a product and the hardware's exp2; the product can be made once, outside.",
    precondition="The kernel calls tl.exp; the scale is folded only where scores meet in maxima and differences alone.",
    addresses=("compute",),
    rounding=True,
    before=BEFORE,
    after=BEFORE.replace("    row = tl", f"    {CONSTANT}\n    row = tl", 1).replace(
        "tl.exp(x - tl.max(x, axis=0))", "tl.exp2((x - tl.max(x, axis=0)) * LOG2E)"
    ),
    apply=apply,
)
