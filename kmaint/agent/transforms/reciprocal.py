"""Division of a tile by a number: one reciprocal, then multiplications."""

from __future__ import annotations

import ast

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.ranks import Ranks
from kmaint.agent.transforms.source import blocks, edited, kernel_parts
from kmaint.spans import Function, Replacement, Source, assigned, names, tl_name

Division = ast.BinOp | ast.AugAssign


def apply(subject: Subject) -> list[Edited]:
    """All divisions at once first, then each divisor alone where there are several."""
    source, kernel = kernel_parts(subject)
    ranks = Ranks(kernel)
    by_divisor: dict[str, list[Replacement]] = {}
    for block in blocks(kernel):
        for statement in block:
            if isinstance(statement, (ast.Assign, ast.AugAssign, ast.Expr, ast.Return)):
                for division in _divisions(statement, ranks):
                    key = source.of(_divisor(division))
                    by_divisor.setdefault(key, []).append(_multiply(source, division))
    for name in [key for key in by_divisor if key.isidentifier()]:
        place = _where_computed(kernel, name)
        if place is None:
            del by_divisor[name]
        else:
            by_divisor[name].append(_reciprocal(source, place, name))
    if not by_divisor:
        raise NotApplicable("no tile is divided by a number or by one number for each row")
    everything = [edit for edits in by_divisor.values() for edit in edits]
    variants = [everything, *by_divisor.values()] if len(by_divisor) > 1 else [everything]
    titles = [", ".join(by_divisor), *by_divisor]
    return [edited(source, edits, f"multiply by 1 / ({title})") for edits, title in zip(variants, titles, strict=False)]


def _divisions(statement: ast.stmt, ranks: Ranks) -> list[Division]:
    """Divisions in a statement that a reciprocal makes cheaper: the divisor has fewer elements than the dividend."""
    found: list[Division] = []
    if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Div) and _pays(statement, ranks):
        found.append(statement)
    products = [node for node in ast.walk(statement) if isinstance(node, ast.BinOp)]
    found += [node for node in products if isinstance(node.op, ast.Div) and _pays(node, ranks)]
    return found


def _pays(division: Division, ranks: Ranks) -> bool:
    dividend = division.left if isinstance(division, ast.BinOp) else division.target
    match _divisor(division):
        case ast.Name() as divisor:
            above, below = ranks.of(dividend), ranks.of(divisor)
            return above is not None and above >= 1 and below == 0
        case ast.Subscript(value=ast.Name(), slice=ast.Tuple(elts=axes)):
            # A new axis beside a whole one: the vector has one dimension whatever its name is bound to.
            return sorted(ast.unparse(axis) for axis in axes) == [":", "None"]
        case ast.Call() as loaded:
            above = ranks.of(dividend)
            return above is not None and above >= 1 and tl_name(loaded) == "load" and ranks.of(loaded) == 0
        case _:
            return False


def _divisor(division: Division) -> ast.expr:
    return division.right if isinstance(division, ast.BinOp) else division.value


def _multiply(source: Source, division: Division) -> Replacement:
    divisor = _divisor(division)
    left = division.left if isinstance(division, ast.BinOp) else division.target
    end_of_left, start = source.span(left)[1], source.span(divisor)[0]
    # Between the two stand the operator and, at most, brackets and line breaks.
    between = source.text[end_of_left:start].replace("/", "*", 1)
    if isinstance(divisor, ast.Name):
        return Replacement(end_of_left, source.span(divisor)[1], f"{between}{inverse_of(divisor.id)}")
    if isinstance(divisor, ast.Call):
        return Replacement(end_of_left, source.span(divisor)[1], f"{between}(1.0 / {source.of(divisor)})")
    assert isinstance(divisor, ast.Subscript)
    vector, text = source.of(divisor.value), source.of(divisor)
    return Replacement(end_of_left, source.span(divisor)[1], f"{between}(1.0 / {vector}){text[len(vector) :]}")


def _where_computed(kernel: Function, name: str) -> ast.stmt | None:
    """The one statement that binds a divisor; None where there are several, or it is a parameter."""
    binding = [
        item for block in blocks(kernel) for item in block if isinstance(item, ast.Assign) and name in assigned(item)
    ]
    every = [
        node
        for node in ast.walk(kernel)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
    ]
    return binding[0] if len(binding) == 1 and len(every) == 1 and inverse_of(name) not in names(kernel) else None


def _reciprocal(source: Source, place: ast.stmt, name: str) -> Replacement:
    return source.after(place, [f"{inverse_of(name)} = 1.0 / {name}"])


def inverse_of(name: str) -> str:
    """What the variable is called that holds 1 over this one."""
    return f"inv_{name}"


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

RECIPROCAL = Transform(
    name="reciprocal",
    why="A division is some ten instructions for each element; one reciprocal for the row leaves one multiplication.",
    precondition="A tile is divided by a local number, or by a vector broadcast along an axis.",
    addresses=("compute", "latency"),
    rounding=True,
    before=BEFORE,
    after=BEFORE.replace(" + 1e-6)\n", " + 1e-6)\n    inv_rms = 1.0 / rms\n").replace(
        "x / rms, mask", "x * inv_rms, mask"
    ),
    apply=apply,
)
