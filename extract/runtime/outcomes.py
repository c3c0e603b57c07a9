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


def returned_leaves(path: str, value: Any, call: Call) -> Iterator[Leaf]:
    if type(value) is torch.Tensor:
        alias = next((name for name, b in call.buffers.items() if _shares(b.raw, value)), "")
        raw = (
            value.detach().contiguous().cpu().reshape(-1).view(torch.uint8)
            if value.numel()
            else torch.empty(0, dtype=torch.uint8)
        )
        yield Leaf(path, "tensor", "", str(value.dtype), tuple(value.shape), value.stride(), alias, raw)
    elif isinstance(value, (tuple, list)):
        for index, item in enumerate(value):
            yield from returned_leaves(f"{path}[{index}]", item, call)
    else:
        yield Leaf(
            path,
            "value",
            repr(value) if isinstance(value, (int, float, str, bool, type(None))) else type(value).__name__,
        )


def argument_leaves(contract: Contract, call: Call, given: dict[str, torch.Tensor]) -> Iterator[Leaf]:
    """Every tensor argument as the call left it; `given` holds the bytes that it found."""
    scratch = {spec["name"] for spec in contract.arguments if spec["values"] == "scratch"}
    for name, buffer in call.buffers.items():
        view, raw = buffer.view, buffer.raw.cpu()
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
