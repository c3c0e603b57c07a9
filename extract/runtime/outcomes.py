"""Everything that a call gave back or left behind, as bytes on the CPU.

Copied unchanged into every harness.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from .building import Call
from .cases import Contract


@dataclass
class Leaf:
    """One tensor or value that a call gave back or left behind."""

    path: str
    kind: str
    """"tensor", "value" or "scratch": an argument that the callee may use as it likes."""
    value: str = ""
    dtype: str = ""
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    alias: str = ""
    """The argument whose memory a returned tensor shares."""
    raw: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))
    """All bytes: of a returned tensor, contiguous; of an argument, its whole buffer with the red zones."""
    start: int = 0
    written: bool = False
    """Whether the call changed a byte of this argument's buffer."""


@dataclass
class Outcome:
    """Everything that a call did, on the CPU. `error` is the exception's type and text where it raised one."""

    leaves: list[Leaf]
    error: str = ""
    overrun: str = ""
    """What was written around a tensor that the callee allocated itself; empty where nothing was."""
    findings: list[tuple[str, str]] = field(default_factory=list)
    """What an honest call does not do, each as a code of the gate and words."""
    launches: int = 0
    """How many Triton kernels the call launched."""

    def to_data(self) -> dict[str, Any]:
        """Tensors and plain values only, as torch.load reads them with weights_only."""
        return {**vars(self), "leaves": [vars(leaf) for leaf in self.leaves]}

    @staticmethod
    def of_data(data: dict[str, Any]) -> Outcome:
        """The outcome again. TypeError or ValueError where the data are of another make."""
        leaves = [Leaf(**leaf) for leaf in data["leaves"]]
        if any(type(leaf.raw) is not torch.Tensor or leaf.raw.dtype is not torch.uint8 for leaf in leaves):
            raise TypeError("a leaf's bytes are no bytes")
        return Outcome(**{**data, "leaves": leaves, "findings": [tuple(found) for found in data["findings"]]})


def lazy(value: Any) -> str:
    """Why a returned value is no plain tensor though it stands for one; empty where it is one, or stands for none."""
    kind = type(value)
    if kind is torch.Tensor:
        if shadowed := sorted(name for name in vars(value) if hasattr(torch.Tensor, name)):
            return f"a tensor whose {', '.join(shadowed)} is its own"
        return "" if value.layout is torch.strided and not value.is_meta else f"a tensor of layout {value.layout}"
    if isinstance(value, (tuple, list)):
        return next((found for found in map(lazy, value) if found), "")
    if issubclass(kind, torch.Tensor) and kind is not torch.nn.Parameter:
        return f"a {kind.__name__}, a subclass of Tensor"
    if any(hasattr(kind, name) for name in ("__torch_function__", "__array__", "__getattr__", "__dlpack__")):
        return f"a {kind.__name__} that stands for a tensor"
    return ""


def returned_leaves(path: str, value: Any, call: Call) -> Iterator[Leaf]:
    if type(value) is torch.Tensor and value.layout is torch.strided and not value.is_meta:
        alias = next((name for name, b in call.buffers.items() if _shares(b.raw, value)), "")
        raw = (
            _own(value.detach().contiguous().cpu().reshape(-1).view(torch.uint8), value)
            if value.numel()
            else torch.empty(0, dtype=torch.uint8)
        )
        yield Leaf(path, "tensor", "", str(value.dtype), tuple(value.shape), strides_of(value), alias, raw)
    elif isinstance(value, (tuple, list)):
        for index, item in enumerate(value):
            yield from returned_leaves(f"{path}[{index}]", item, call)
    else:
        yield Leaf(
            path,
            "value",
            repr(value) if type(value) in (int, float, str, bool, type(None)) else type(value).__name__,
        )


def _own(read: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """Bytes that stay what they are, whatever becomes of the memory that they were read from."""
    return read.clone() if read.untyped_storage().data_ptr() == source.untyped_storage().data_ptr() else read


def strides_of(value: torch.Tensor) -> tuple[int, ...]:
    """Its strides; along an axis of one or no element, where none is ever taken, what a contiguous tensor has."""
    plain = [1] * value.dim()
    for axis in range(value.dim() - 2, -1, -1):
        plain[axis] = plain[axis + 1] * max(1, value.shape[axis + 1])
    if not value.numel():
        return tuple(plain)
    return tuple(
        own if size > 1 else other for own, other, size in zip(value.stride(), plain, value.shape, strict=True)
    )


def argument_leaves(contract: Contract, call: Call, given: dict[str, torch.Tensor]) -> Iterator[Leaf]:
    """Every tensor argument as the call left it; `given` holds the bytes that it found."""
    scratch = {spec["name"] for spec in contract.arguments if spec["values"] == "scratch"}
    for name, buffer in call.buffers.items():
        view, raw = buffer.view, _own(buffer.raw.cpu(), buffer.raw)
        yield Leaf(
            f"argument {name}",
            "scratch" if name in scratch else "tensor",
            dtype=str(view.dtype),
            shape=tuple(view.shape),
            strides=buffer.strides,
            raw=raw,
            start=buffer.start,
            written=not torch.equal(raw, given[name].cpu()),
        )


def _shares(raw: torch.Tensor, value: torch.Tensor) -> bool:
    first, start = int(value.data_ptr()), int(raw.data_ptr())
    return bool(value.numel() > 0 and start <= first < start + raw.numel())


def tensor_of(leaf: Leaf) -> torch.Tensor:
    """The leaf's elements as a tensor of its dtype and shape."""
    dtype = getattr(torch, leaf.dtype.removeprefix("torch."))
    if not leaf.path.startswith("argument"):
        return leaf.raw.view(dtype).view(leaf.shape) if leaf.raw.numel() else torch.empty(leaf.shape, dtype=dtype)
    return leaf.raw[leaf.start :].view(dtype).as_strided(leaf.shape, leaf.strides)
