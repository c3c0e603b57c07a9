"""Neighbouring programs on neighbouring memory: a two-axis grid flattened with its second axis fastest."""

from __future__ import annotations

import ast
import re

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.launches import Launch, all_launches, launches, resolve_grid
from kmaint.agent.transforms.source import edited, kernel_parts
from kmaint.spans import Function, Replacement, Source, argument, calls, names

PARAMETER = "grid_1"
AXES = {
    ("program_id", 0): f"tl.program_id(0) // {PARAMETER}",
    ("program_id", 1): f"tl.program_id(0) % {PARAMETER}",
    ("num_programs", 0): f"tl.num_programs(0) // {PARAMETER}",
    ("num_programs", 1): PARAMETER,
}


def apply(subject: Subject) -> list[Edited]:
    """One variant, flattened rather than swapped: the second axis of a CUDA grid holds only 65535 blocks."""
    source, kernel = kernel_parts(subject)
    positions = {axis for call in calls(kernel, "program_id") for axis in [_axis(call)]}
    if positions != {0, 1}:
        raise NotApplicable("the kernel does not use exactly the program axes 0 and 1")
    _refuse_hidden_axes(source, kernel)
    edits = [source.add_parameter(kernel, PARAMETER + (" = None" if kernel.args.defaults else ""))]
    whole = {node.value for node in ast.walk(kernel) if isinstance(node, ast.Assign)}
    for call in calls(kernel, "program_id", "num_programs"):
        text = AXES[call.func.attr, _axis(call)] if isinstance(call.func, ast.Attribute) else ""
        edits.append(source.replace(call, text if call in whole else f"({text})"))
    for launch in launches(source, subject):
        edits += _flatten(source, subject, launch)
    return [edited(source, edits, "one program axis, the former second one fastest")]


def _axis(call: ast.Call) -> int:
    match argument(call, 0, "axis"):
        case ast.Constant(value=int(axis)):
            return axis
        case _:
            raise NotApplicable("a program axis is not a number")


def _refuse_hidden_axes(source: Source, kernel: Function) -> None:
    if PARAMETER in names(kernel) or kernel.args.vararg or kernel.args.kwarg or kernel.decorator_list[1:]:
        raise NotApplicable("the kernel's parameters cannot be added to")
    for call in ast.walk(kernel):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            name = call.func.id
            known = source.functions.get(name)
            if name in ("float", "int", "range", "min", "max", "print"):
                continue
            if known is None or any(calls(known, "program_id", "num_programs")):
                raise NotApplicable(f"{name} may ask for a program axis itself")
    if any(_axis(call) > 1 for call in calls(kernel, "num_programs")):
        raise NotApplicable("the kernel uses a third program axis")


def _flatten(source: Source, subject: Subject, launch: Launch) -> list[Replacement]:
    grid = resolve_grid(launch)
    if grid is None or len(grid.elts) != 2:
        raise NotApplicable("the grid is not a pair in the source")
    if isinstance(launch.grid, ast.Name):
        sharing = [item for item in all_launches(source, subject.entry) if names(item.grid) == names(launch.grid)]
        if len(sharing) > 1:
            raise NotApplicable(f"several launches share {launch.grid.id}")
    first, second = (source.of(item) for item in grid.elts)
    first, product = _operand(first, grid.elts[0]), _operand(second, grid.elts[1])
    bound = re.sub(r"""\w+\[["'](\w+)["']\]""", lambda found: _argument_text(source, launch, found), second)
    return [
        source.replace(grid, f"({first} * {product},)"),
        source.add_argument(launch.call, f"{PARAMETER}={bound}"),
    ]


def _operand(text: str, node: ast.expr) -> str:
    return text if isinstance(node, (ast.Name, ast.Call, ast.Subscript, ast.Attribute, ast.Constant)) else f"({text})"


def _argument_text(source: Source, launch: Launch, found: re.Match[str]) -> str:
    """What a lambda grid reads as `meta["BLOCK"]`, written as the launch passes it."""
    given = launch.arguments.get(found.group(1))
    return found.group() if given is None else source.of(given)


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    part = tl.program_id(1)
    offsets = part * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < columns
    x = tl.load(x_ptr + row * columns + offsets, mask=mask)
    tl.store(y_ptr + row * columns + offsets, x * 2.0, mask=mask)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    rows, columns = x.shape
    kernel[(rows, triton.cdiv(columns, 16))](x, y, columns, BLOCK=16)
    return y
"""

GRID_MAPPING = Transform(
    name="grid_mapping",
    why="Blocks start in the order of axis 0: where that is the row, blocks that run together touch distant memory.",
    precondition="The kernel uses program axes 0 and 1, and every launch writes its grid as a pair.",
    addresses=("memory", "imbalance"),
    rounding=False,
    before=BEFORE,
    after=BEFORE.replace("columns, BLOCK: tl.constexpr)", "columns, BLOCK: tl.constexpr, grid_1)")
    .replace("row = tl.program_id(0)", "row = tl.program_id(0) // grid_1")
    .replace("part = tl.program_id(1)", "part = tl.program_id(0) % grid_1")
    .replace(
        "    kernel[(rows, triton.cdiv(columns, 16))](x, y, columns, BLOCK=16)\n",
        """\
    kernel[(rows * triton.cdiv(columns, 16),)](
        x, y, columns, BLOCK=16, grid_1=triton.cdiv(columns, 16)
    )
""",
    ),
    apply=apply,
)
