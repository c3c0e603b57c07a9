"""Fewer registers for each thread than the compiler would take, so that more programs run at a time."""

from __future__ import annotations

import ast

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.launches import launches
from kmaint.agent.transforms.source import edited, kernel_parts

OPTION = "maxnreg"
CAPS = (128, 96, 64, 168)


def apply(subject: Subject) -> list[Edited]:
    """One variant for each cap below what the kernel takes today, the mildest first."""
    source, kernel = kernel_parts(subject)
    found = launches(source, subject)
    if any(OPTION in launch.arguments for launch in found) or any(
        "autotune" in ast.unparse(d) for d in kernel.decorator_list
    ):
        raise NotApplicable("the launch says how many registers a thread may have")
    if any(not isinstance(item, ast.Name) for launch in found for item in launch.options):
        raise NotApplicable("the launch's options are unpacked from elsewhere")
    taken = subject.resources.registers if subject.resources else None
    caps = [cap for cap in CAPS if taken is None or cap < taken]
    if not caps:
        raise NotApplicable(f"the kernel takes {taken} registers a thread: a cap would change nothing")
    return [
        edited(source, [source.add_argument(launch.call, f"{OPTION}={cap}") for launch in found], f"{OPTION}={cap}")
        for cap in caps
    ]


BEFORE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < n)
    tl.store(y_ptr + offsets, tl.exp(x) * tl.sigmoid(x), mask=offsets < n)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    kernel[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), BLOCK=64)
    return y
"""

REGISTER_CAP = Transform(
    name="register_cap",
    why="A few registers too many cost a whole program on each multiprocessor, and with it its loads in flight.",
    precondition="The launch sets no cap of its own, and the kernel is not known to take fewer registers than it.",
    addresses=("occupancy",),
    rounding=False,
    before=BEFORE,
    after=BEFORE.replace("x.numel(), BLOCK=64)", "x.numel(), BLOCK=64, maxnreg=128)"),
    apply=apply,
)
