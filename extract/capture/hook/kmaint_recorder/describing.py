"""Describes the arguments of one call, in the JSON of kmaint.records.call."""

from __future__ import annotations

import contextlib
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

LONGEST_TEXT = 200
"""Characters of a string argument: an option's name is shorter, and what is longer is not ours to keep."""

BOUNDED = 1 << 24
"""Elements up to which the lowest and highest are looked for: a cache held as bytes has a thousand times as many."""

PLAIN_TYPES = (bool, int, float, str, type(None))


class Sight:
    """One call; `values` elements of each index tensor are kept, and its bounds."""

    def __init__(self, values: int) -> None:
        import torch

        self.torch, self.values = torch, values
        self.capturing = torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()
        self.storages: dict[int, int] = {}

    def describe(self, value: Any) -> object:
        if isinstance(value, self.torch.Tensor):
            return self.tensor(value)
        if isinstance(value, self.torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        if isinstance(value, (list, tuple)):
            return {"items": [self.describe(item) for item in value]}
        if isinstance(value, Enum) and isinstance(value, (int, str)):
            value = value.value  # equal to it, and to be had without the framework
        cls = type(value)
        if cls in PLAIN_TYPES and not (cls is str and len(value) > LONGEST_TEXT):
            return value
        if cls.__name__ == "constexpr":
            return self.describe(value.value)
        return {"type": f"{cls.__module__}.{cls.__qualname__}"}

    def tensor(self, tensor: torch.Tensor) -> dict[str, object]:
        address = tensor.untyped_storage().data_ptr()
        found: dict[str, object] = {
            "shape": list(tensor.shape),
            "stride": list(tensor.stride()),
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "storage": self.storages.setdefault(address, len(self.storages)),
            "offset": tensor.storage_offset(),
        }
        whole = not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype is self.torch.bool)
        if whole and tensor.numel() and not self.capturing:  # a copy to the host would spoil a graph's capture
            # RuntimeError: torch computes next to nothing of dtypes such as uint32
            with contextlib.suppress(RuntimeError), self.torch.no_grad():
                if self.values:
                    found["values"] = _leading(tensor, self.values).flatten()[: self.values].tolist()
                if tensor.numel() <= BOUNDED:
                    low, high = self.torch.aminmax(tensor)
                    found |= {"low": int(low), "high": int(high)}
        return found


def _leading(tensor: torch.Tensor, count: int) -> torch.Tensor:
    """A view of the leading part that holds `count` elements in row-major order, and little more."""
    while tensor.dim() > 1 and tensor.numel() > count:
        row = tensor.numel() // tensor.shape[0]
        if row < count:
            return tensor[: -(-count // row)]
        tensor = tensor[0]
    return tensor[:count] if tensor.dim() else tensor
