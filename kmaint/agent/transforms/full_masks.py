"""Masks that are all true for the sizes at hand, made visibly so to the compiler, which then drops them."""

from __future__ import annotations

import ast

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.launches import default_values, launches
from kmaint.agent.transforms.source import assignments, edited, kernel_parts
from kmaint.spans import Function, Replacement, Source, assigned, calls, constexprs, parameters, tl_name


def apply(subject: Subject) -> list[Edited]:
    """One variant: each mask `arange(0, PADDED) < SIZE` is a constant where the two are equal."""
    source, kernel = kernel_parts(subject)
    edits: list[Replacement] = []
    sizes: set[str] = set()
    for node in ast.walk(kernel):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Compare(left=left, ops=[ast.Lt()], comparators=[ast.Name(id=size)]),
            ):
                padded = _padded(kernel, left)
                if padded and _once(kernel, name) and _is_static(source, subject, kernel, size, padded):
                    full = f"    {name} = tl.full(({padded},), True, tl.int1)"
                    edits.append(source.after(node, [f"if {size} == {padded}:", full]))
                    sizes.add(size)
            case _:
                continue
    if not edits:
        raise NotApplicable("no mask compares an arange over a padded constexpr with the size that it pads")
    edits += [edit for size in sorted(sizes - constexprs(kernel)) for edit in _annotate(source, kernel, size)]
    return [edited(source, edits, f"no mask where {', '.join(sorted(sizes))} needs no padding")]


def _padded(kernel: Function, left: ast.expr) -> str:
    """`P` where an expression is `tl.arange(0, P)`, by itself or through a name bound once; else empty."""
    if isinstance(left, ast.Name):
        bound = assignments(kernel, left.id)
        if len(bound) != 1 or not isinstance(bound[0], ast.Assign) or not _once(kernel, left.id):
            return ""
        left = bound[0].value
    match left:
        case ast.Call(args=[ast.Constant(value=0), ast.Name(id=padded)]) if tl_name(left) == "arange":
            return padded if padded in constexprs(kernel) else ""
        case _:
            return ""


def _once(kernel: Function, name: str) -> bool:
    stores = [node for node in ast.walk(kernel) if isinstance(node, ast.Name) and node.id == name]
    return name not in parameters(kernel) and sum(isinstance(node.ctx, ast.Store) for node in stores) == 1


def _is_static(source: Source, subject: Subject, kernel: Function, size: str, padded: str) -> bool:
    """Whether the size is a constexpr, or may become one: the padded size is recompiled for it already."""
    if size in constexprs(kernel):
        return True
    if size not in parameters(kernel) or size in assigned(kernel):
        return False
    for launch in launches(source, subject):
        given, chosen = launch.arguments.get(size), launch.arguments.get(padded)
        values = default_values(launch.host, chosen.id) if isinstance(chosen, ast.Name) else [chosen]
        match values:
            case [ast.Call(func=ast.Attribute(attr="next_power_of_2"), args=[of])] if given is not None:
                if ast.dump(of) != ast.dump(given):
                    return False
            case _:
                return False
    return True


def _annotate(source: Source, kernel: Function, size: str) -> list[Replacement]:
    """`N` becomes `N: tl.constexpr`: one compilation for each size instead of one for each power of two."""
    if any(calls(kernel, "multiple_of")):
        return []
    return [source.replace(item, f"{size}: tl.constexpr") for item in kernel.args.args if item.arg == size]


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
    tl.store(y_ptr + row * columns + offsets, x * 2.0, mask=mask)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    rows, columns = x.shape
    kernel[(rows,)](x, y, columns, BLOCK=triton.next_power_of_2(columns))
    return y
"""

FULL_MASKS = Transform(
    name="full_masks",
    why="A mask on every lane costs predicates and can split a 128-bit access; at power-of-two sizes it is all true.",
    precondition="A mask is `tl.arange(0, P) < N` with P constexpr, and N constexpr or the size that P is padded from.",
    addresses=("memory", "latency"),
    rounding=False,
    before=BEFORE,
    after=BEFORE.replace("columns, BLOCK: tl", "columns: tl.constexpr, BLOCK: tl").replace(
        "    mask = offsets < columns\n",
        """\
    mask = offsets < columns
    if columns == BLOCK:
        mask = tl.full((BLOCK,), True, tl.int1)
""",
    ),
    apply=apply,
)
