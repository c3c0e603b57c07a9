"""Numbers that a served model fixes, handed to the compiler: strides, and sizes that the kernel divides by."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.launches import Launch, default_values, launches
from kmaint.agent.transforms.source import edited, kernel_parts
from kmaint.records.workload import Contract
from kmaint.spans import Function, Source, argument, assigned, parameters, tl_name

VARIES = re.compile(r"shape\[0\]|size\(0\)|numel\(|\blen\(|cdiv\(|\bmax\(|\bsum\(|num_tokens|batch|\bbs\b")
"""Sizes that follow the traffic: a constant of each would be a compilation of each."""


def constant_strides(subject: Subject) -> list[Edited]:
    """One variant: every stride that the launches read off a tensor is a constant."""

    def suits(_name: str, values: list[ast.expr]) -> bool:
        read = [_read_off(value) for value in values]
        return all(one is not None and not _follows_traffic(subject.contract, *one) for one in read)

    return _constant(subject, suits, "no parameter is a fixed stride that every launch reads off a tensor")


def constant_divisors(subject: Subject) -> list[Edited]:
    """One variant: every number that the kernel divides indices by is a constant."""
    source, kernel = kernel_parts(subject)
    divisors = {
        node.right.id
        for node in ast.walk(kernel)
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.FloorDiv | ast.Mod)
        and isinstance(node.right, ast.Name)
    }
    fixed = "no index is divided by a parameter whose size does not follow the traffic"
    return _constant(subject, lambda name, values: name in divisors and not _varies(source, values), fixed)


def _constant(subject: Subject, suits: Callable[[str, list[ast.expr]], bool], otherwise: str) -> list[Edited]:
    source, kernel = kernel_parts(subject)
    found = launches(source, subject)
    chosen = [
        name
        for name in _numbers(kernel)
        if all(name in launch.arguments for launch in found)
        if (values := [value for launch in found for value in _values(launch, name)])
        if suits(name, values)
    ]
    if not chosen:
        raise NotApplicable(otherwise)
    every = [*kernel.args.posonlyargs, *kernel.args.args, *kernel.args.kwonlyargs]
    edits = [source.replace(item, f"{item.arg}: tl.constexpr") for item in every if item.arg in chosen]
    return [edited(source, edits, f"compile-time constants: {', '.join(chosen)}")]


def _numbers(kernel: Function) -> list[str]:
    """Plain parameters that may become constexpr: nothing binds them again, and nothing asks them for a method.

    One with a type of its own, such as `tl.int64`, keeps it: its products would be narrower without.
    """
    every = [*kernel.args.posonlyargs, *kernel.args.args, *kernel.args.kwonlyargs]
    annotated = {item.arg for item in every if item.annotation is not None}
    asked = {
        node.value.id
        for node in ast.walk(kernel)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    pointers = {
        inner.id
        for node in ast.walk(kernel)
        if isinstance(node, ast.Call) and tl_name(node) in ("load", "store", "multiple_of", "max_contiguous")
        if isinstance(inner := argument(node, 0, "pointer"), ast.Name)
    }
    named = {
        node.value
        for decorator in kernel.decorator_list
        for node in ast.walk(decorator)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    taken = annotated | asked | pointers | named | assigned(kernel)
    defaults = {item.arg for item in kernel.args.args[len(kernel.args.args) - len(kernel.args.defaults) :]}
    return [name for name in parameters(kernel) if name not in taken | (defaults if kernel.args.defaults else set())]


def _values(launch: Launch, name: str) -> list[ast.expr]:
    given = launch.arguments[name]
    if isinstance(given, ast.Name):
        return default_values(launch.host, given.id) or [given]
    return [given]


def _read_off(value: ast.expr) -> tuple[str, int] | None:
    """The tensor and the dimension of `x.stride(k)` or `x.stride()[k]`."""
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=tensor), attr="stride"), args=[of]):
            return tensor, _number(of)
        case ast.Subscript(value=ast.Call(func=ast.Attribute(value=ast.Name(id=tensor), attr="stride")), slice=of):
            return tensor, _number(of)
        case _:
            return None


def _number(node: ast.expr) -> int:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return 0
    return value if isinstance(value, int) else 0


def _follows_traffic(contract: Contract, tensor: str, dimension: int) -> bool:
    """Whether the sizes inside a dimension are not the same in all that is timed; what the contract omits is fixed."""
    shape = next((one.shape for one in contract.arguments if one.name == tensor and one.kind == "tensor"), ())
    inner = shape[dimension % len(shape) + 1 :] if shape else ()
    axes = {axis.name for axis in contract.axes} & set(re.findall(r"\w+", " ".join(inner)))
    return any(len({workload.axes[axis] for workload in contract.timed}) > 1 for axis in axes)


def _varies(source: Source, values: list[ast.expr]) -> bool:
    """Whether a size may follow the traffic: a number, and what is seen to be a tensor's inner size, does not."""
    for value in values:
        text = source.of(value)
        inner = isinstance(value, ast.Constant | ast.Name) or "shape" in text or "size(" in text
        if VARIES.search(text) or not inner:
            return True
    return False


STRIDED = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, columns, stride, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    mask = offsets < columns
    x = tl.load(x_ptr + row * stride + offsets, mask=mask)
    tl.store(y_ptr + row * stride + offsets, x * 2.0, mask=mask)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    rows, columns = x.shape
    kernel[(rows,)](x, y, columns, x.stride(0), triton.next_power_of_2(columns))
    return y
"""

CONSTANT_STRIDES = Transform(
    name="constant_strides",
    why="Offsets by a known stride fold into the addresses: fewer registers, fewer instructions in front of a load.",
    precondition="A parameter without a type is a tensor's stride at every launch, the same in all workloads.",
    addresses=("latency", "occupancy"),
    rounding=False,
    before=STRIDED,
    after=STRIDED.replace("columns, stride, BLOCK", "columns, stride: tl.constexpr, BLOCK"),
    apply=constant_strides,
)

DIVIDED = """\
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, n, columns, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < n)
    tl.store(y_ptr + offsets, x * (offsets % columns), mask=offsets < n)


def launch(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    kernel[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), x.shape[1], BLOCK=64)
    return y
"""

CONSTANT_DIVISORS = Transform(
    name="constant_divisors",
    why="A division by a number known late is dozens of instructions in front of the address; by a constant, a few.",
    precondition="The kernel takes // or % by a parameter that each launch gives a tensor's inner size or a name.",
    addresses=("latency", "compute"),
    rounding=False,
    before=DIVIDED,
    after=DIVIDED.replace("n, columns, BLOCK", "n, columns: tl.constexpr, BLOCK"),
    apply=constant_divisors,
)
