"""Builds a case's arguments, each tensor inside red zones of its own.

Copied unchanged into every harness. Equal cases give equal bytes on equal devices, in whatever process.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import Any

import torch

from .cases import Case, Contract, evaluate
from .contents import fill, once

GUARD = 256
"""Bytes of red zone on each side of a tensor argument: a multiple of every alignment a kernel may rely on."""

GUARD_BYTE = 0xA5

LAYOUTS = ("contiguous", "offset", "rows", "heads")
"""contiguous; the same one element past an aligned address; gaps between the entries of the first axis; gaps after
each run of the last axis, as padded heads have them, with all outer strides grown to match."""

GAP = 16
"""Elements of such a gap: a row's start stays as aligned as it was."""


@dataclass
class Buffer:
    """A tensor argument inside its red zones: `view` is what the callee gets, `raw` all its bytes."""

    name: str
    raw: torch.Tensor
    view: torch.Tensor
    start: int
    """First byte of the view in `raw`."""

    @property
    def outside(self) -> torch.Tensor:
        """Mask over `raw`: true where no element of the view lies."""
        mask = torch.ones(self.raw.numel(), dtype=torch.bool, device=self.raw.device)
        size = self.view.element_size()
        spans = mask.as_strided(
            (*self.view.shape, size), (*(stride * size for stride in self.view.stride()), 1), self.start
        )
        once(spans).fill_(False)
        return mask


@dataclass
class Call:
    """The arguments of one call, ready to be passed as keywords."""

    arguments: dict[str, Any]
    buffers: dict[str, Buffer]


def build(contract: Contract, case: Case, device: str) -> Call:
    """Arguments of the case: equal cases give equal bytes on equal devices, in whatever process."""
    arguments: dict[str, Any] = {}
    buffers: dict[str, Buffer] = {}
    for index, spec in enumerate(contract.arguments):
        name = spec["name"]
        if not evaluate(spec["when"], case.axes):
            arguments[name] = None
        elif spec["kind"] == "tensor":
            buffers[name] = _buffer(spec, case, torch.Generator(device).manual_seed(case.seed * 1009 + index))
            arguments[name] = buffers[name].view
        else:
            arguments[name] = value_of(spec["value"], case.axes)
    if case.within:
        larger = build(contract, case.but(within=None, **case.within), device)
        for name, buffer in buffers.items():
            leading = tuple(slice(size) for size in buffer.view.shape)
            once(buffer.view).copy_(once(larger.buffers[name].view[leading]))
    return Call(arguments, buffers)


def value_of(value: Any, axes: dict[str, Any]) -> Any:
    """The value of an argument that is no tensor, from its JSON."""
    match value:
        case str() if value.startswith("="):
            return evaluate(value[1:], axes)
        case {"dtype": name}:
            return getattr(torch, axes.get(name, name))
        case {"triton": name}:  # one of triton.language's own, as a kernel's constexpr takes it
            return getattr(importlib.import_module("triton.language"), name)
        case list():
            return [value_of(item, axes) for item in value]
        case {"tuple": items}:
            return tuple(value_of(item, axes) for item in items)
        case _:
            return value


def _buffer(spec: dict[str, Any], case: Case, generator: torch.Generator) -> Buffer:
    shape = tuple(int(evaluate(size, case.axes)) for size in spec["shape"])
    dtype: torch.dtype = getattr(torch, case.axes.get(spec["dtype"], spec["dtype"]))
    layout = case.layout if case.layout in spec["layouts"] else "contiguous"
    padded = (*shape[:-1], shape[-1] + GAP) if layout == "heads" and len(shape) > 1 else shape
    strides = [math.prod(padded[i + 1 :]) for i in range(len(shape))]
    if layout == "rows" and len(shape) > 1:
        strides[0] += GAP
    if spec.get("strides"):
        strides = [int(evaluate(stride, case.axes)) for stride in spec["strides"]]
    size = torch.empty((), dtype=dtype).element_size()
    span = 0 if 0 in shape else 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    start = GUARD + (size if layout == "offset" else 0)
    raw = torch.full((start + span * size + GUARD,), GUARD_BYTE, dtype=torch.uint8, device=generator.device)
    view = raw[start:].view(dtype).as_strided(shape, strides)
    bound = int(evaluate(spec["bound"], case.axes)) if spec["bound"] else 0
    fill(view, spec["values"], bound, case.values, generator)
    return Buffer(spec["name"], raw, view, start)
