"""64-bit index arithmetic where 32 bits are proven enough by the launcher, for this call."""

from __future__ import annotations

import ast

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.dependence import pointer_parameters
from kmaint.agent.transforms.launches import Launch, launches
from kmaint.agent.transforms.source import blocks, edited, kernel_parts
from kmaint.spans import Function, Replacement, Source, parameters, tl_name

FLAG = "NARROW_INDEX"


def apply(subject: Subject) -> list[Edited]:
    """One variant: every widened program index stays narrow where all tensors of the launch lie within 2 GiB."""
    source, kernel = kernel_parts(subject)
    widened = _widened(kernel)
    if not widened:
        raise NotApplicable("no program index is widened to 64 bits by a statement of its own")
    if FLAG in parameters(kernel) or kernel.args.vararg or kernel.args.kwarg or kernel.decorator_list[1:]:
        raise NotApplicable("the kernel's parameters cannot be added to")
    edits = [source.add_parameter(kernel, f"{FLAG}: tl.constexpr = False")]
    for statement, call, name in widened:
        assert isinstance(call.func, ast.Attribute)
        edits.append(source.replace(call, source.of(call.func.value)))
        edits.append(source.after(statement, [f"if not {FLAG}:", f"    {name} = {name}.to(tl.int64)"]))
    for launch in launches(source, subject):
        edits += _flag(source, launch, kernel)
    return [edited(source, edits, "32-bit indices where every tensor lies within 2 GiB")]


def _widened(kernel: Function) -> list[tuple[ast.Assign, ast.Call, str]]:
    """Statements `name = tl.program_id(k).to(tl.int64)`."""
    found = []
    for block in blocks(kernel):
        for statement in block:
            match statement:
                case ast.Assign(
                    targets=[ast.Name(id=name)],
                    value=ast.Call(
                        func=ast.Attribute(value=ast.Call() as inner, attr="to"),
                        args=[ast.Attribute(value=ast.Name(id="tl"), attr="int64")],
                    ) as call,
                ) if tl_name(inner) == "program_id":
                    found.append((statement, call, name))
    return found


def _flag(source: Source, launch: Launch, kernel: Function) -> list[Replacement]:
    """The flag at one launch. An offset that lies in a tensor's storage is below its size in bytes."""
    tensors = []
    for name in pointer_parameters(kernel):
        given = launch.arguments.get(name)
        if not isinstance(given, ast.Name):
            raise NotApplicable(f"the argument for {name} is not a plain variable, so its size cannot be asked for")
        tensors.append(given.id)
    if not tensors:
        raise NotApplicable("no parameter is seen to be a pointer")
    once = list(dict.fromkeys(tensors))
    listed = ", ".join(once) if len(once) > 1 else f"{once[0]},"
    test = f"t is None or t.untyped_storage().nbytes() < 2**31 for t in ({listed})"
    return [source.add_argument(launch.call, f"{FLAG}=all({test})")]


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    offsets = row * columns + tl.arange(0, BLOCK)
    mask = tl.arange(0, BLOCK) < columns
    tl.store(y_ptr + offsets, 2.0 * tl.load(x_ptr + offsets, mask=mask), mask=mask)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    rows, columns = x.shape
    kernel[(rows,)](x, y, columns, triton.next_power_of_2(columns))
    return y
"""

INDEX_WIDTH = Transform(
    name="index_width",
    why="Offsets of 64 bits take two registers and several instructions each; most tensors are far below 2 GiB.",
    precondition="A program index is widened by `.to(tl.int64)`, and every tensor of the launch is a plain variable.",
    addresses=("latency", "occupancy"),
    rounding=False,
    before=BEFORE,
    after=BEFORE.replace(
        "def kernel(x_ptr, y_ptr, columns, BLOCK: tl.constexpr):",
        """\
def kernel(
    x_ptr, y_ptr, columns, BLOCK: tl.constexpr, NARROW_INDEX: tl.constexpr = False
):""",
    )
    .replace(
        "    row = tl.program_id(0).to(tl.int64)\n",
        """\
    row = tl.program_id(0)
    if not NARROW_INDEX:
        row = row.to(tl.int64)
""",
    )
    .replace(
        "    kernel[(rows,)](x, y, columns, triton.next_power_of_2(columns))\n",
        """\
    kernel[(rows,)](
        x,
        y,
        columns,
        triton.next_power_of_2(columns),
        NARROW_INDEX=all(
            t is None or t.untyped_storage().nbytes() < 2**31 for t in (x, y)
        ),
    )
""",
    ),
    apply=apply,
)
