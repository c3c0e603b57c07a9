"""Builds a case's arguments, each tensor inside red zones of its own.

Copied unchanged into every harness. Equal cases give equal bytes on equal devices, in whatever process.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import torch

from .cases import Case, Contract, evaluate
from .contents import fill, firsts, once, poke
from .layouts import LAYOUTS, is_far, of, place

__all__ = ["GUARD", "GUARD_BYTE", "LAYOUTS", "Buffer", "Call", "build", "value_of"]

GUARD = 4096
"""Bytes of red zone on each side of a tensor argument: a multiple of every alignment a kernel may rely on."""

GUARD_BYTE = 0xA5
"""What fills them; a case may have another byte around its arguments."""

ANEW = 500
"""Added to the place of an argument whose contents are to differ from those that the seed gives."""


@dataclass
class Buffer:
    """A tensor argument inside its red zones: `view` is what the callee gets, `memory` what is watched of its bytes."""

    name: str
    memory: torch.Tensor
    """One row of bytes, or one for each entry of the first axis where these lie far apart."""
    view: torch.Tensor
    start: int
    """First byte of the view in `raw`."""
    strides: tuple[int, ...] = ()
    """Where the view's elements lie in `raw`; the view's own strides unless its entries lie far apart."""

    def __post_init__(self) -> None:
        self.strides = self.strides or self.view.stride()

    @property
    def raw(self) -> torch.Tensor:
        """All bytes that are watched, one after the other."""
        return self.memory.reshape(-1)

    @property
    def outside(self) -> torch.Tensor:
        """Mask over `raw`: true where no element of the view lies."""
        mask = torch.ones(self.memory.numel(), dtype=torch.bool, device=self.memory.device)
        size = self.view.element_size()
        spans = mask.as_strided((*self.view.shape, size), (*(stride * size for stride in self.strides), 1), self.start)
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
            place_of_seed = index + ANEW * (case.anew == name)
            buffers[name] = _buffer(spec, case, torch.Generator(device).manual_seed(case.seed * 1009 + place_of_seed))
            arguments[name] = buffers[name].view
        else:
            arguments[name] = value_of(spec["value"], case.axes)
    if case.within:
        larger = build(contract, case.but(within=None, **case.within), device)
        for name, buffer in buffers.items():
            leading = tuple(slice(size) for size in buffer.view.shape)
            once(buffer.view).copy_(once(larger.buffers[name].view[leading]))
    for spec in contract.arguments:
        if by := case.rolled.get("".join(spec["shape"][:1])):
            part = once(buffers[spec["name"]].view) if spec["name"] in buffers else torch.empty(0)
            part.copy_(part.clone().roll(by, 0))
    for name, at, special in case.pokes:
        if name in buffers:
            poke(buffers[name].view, at, special)
    if case.twist:
        _twist(arguments, *case.twist.split())
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
    name, device = spec["name"], generator.device
    shape = tuple(int(evaluate(size, case.axes)) for size in spec["shape"])
    declared: torch.dtype = getattr(torch, case.axes.get(spec["dtype"], spec["dtype"]))
    dtype: torch.dtype = getattr(torch, case.dtypes[name]) if name in case.dtypes else declared
    layout = of(case.layout, name, spec["layouts"])
    given = tuple(int(evaluate(stride, case.axes)) for stride in spec["strides"]) if spec.get("strides") else None
    where = place(shape, layout, given)
    size = torch.empty((), dtype=dtype).element_size()
    if given is None and is_far(shape, layout):
        buffer = _far_apart(name, shape, where.strides, dtype, case.around, device)
    else:
        start = GUARD + where.start * size
        whole = GUARD + where.span * size + GUARD if where.span else start + GUARD
        raw = torch.full((whole,), case.around, dtype=torch.uint8, device=device)
        buffer = Buffer(name, raw, raw[start:].view(dtype).as_strided(shape, where.strides), start)
    bound = int(evaluate(spec["bound"], case.axes)) if spec["bound"] else 0
    same = layout in ("repeated", "expanded") and len(shape) > 0
    if dtype == declared and not same:
        fill(buffer.view, spec["values"], bound, case.values, generator)
        return buffer
    contents = torch.empty(shape, dtype=declared, device=device)
    fill(contents, spec["values"], bound, case.values, generator)
    contents = contents[:1].expand(shape) if same else contents
    once(buffer.view).copy_(contents[firsts(buffer.view)])
    return buffer


def _far_apart(
    name: str, shape: tuple[int, ...], strides: tuple[int, ...], dtype: torch.dtype, around: int, device: torch.device
) -> Buffer:
    """Memory of which only the entries of the first axis are ever touched, each with the red zones around it."""
    size = torch.empty((), dtype=dtype).element_size()
    span = 1 + sum((n - 1) * stride for n, stride in zip(shape[1:], strides[1:], strict=True))
    width = (GUARD + span * size + GUARD + 15) // 16 * 16
    whole = (shape[0] - 1) * strides[0] * size + width
    if device.type == "cuda" and whole > torch.cuda.mem_get_info()[0] // 2:
        raise NoRoomError(f"{name} needs {whole >> 20} MiB in one piece")
    try:
        # Not torch.empty: where torch fills what that returns, every page of it would be taken.
        storage = torch.UntypedStorage(whole, device=device)
    except RuntimeError as error:
        raise NoRoomError(f"{name} needs {whole >> 20} MiB in one piece") from error
    everything = torch.tensor([], dtype=torch.uint8, device=device).set_(storage)
    memory = everything.as_strided((shape[0], width), (strides[0] * size, 1))
    memory.fill_(around)
    view = everything[GUARD:].view(dtype).as_strided(shape, strides)
    return Buffer(name, memory, view, GUARD, (width // size, *strides[1:]))


class NoRoomError(RuntimeError):
    """The device has not the memory for a tensor whose entries lie far apart."""


def _twist(arguments: dict[str, Any], how: str, name: str, *rest: str) -> None:
    """Bend one argument as a caller may by mistake."""
    x = arguments[name]
    match how:
        case "shorter":  # one entry less along a dimension
            dimension = int(rest[0])
            arguments[name] = x.narrow(dimension, 0, max(0, x.shape[dimension] - 1))
        case "deeper":  # one dimension more
            arguments[name] = x[None]
        case "gaps":  # every second column, in memory
            arguments[name] = x.repeat_interleave(2, -1)[..., ::2]
        case "dtype":
            arguments[name] = x.to(torch.int32 if x.is_floating_point() else torch.float32)
        case "none":
            arguments[name] = None
        case _:
            raise AssertionError(f"no twist is called {how!r}")


def shaped(contract: Contract, axes: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a case with their sizes, types and strides, and no memory: for whoever only asks about them."""
    built: dict[str, Any] = {}
    for spec in contract.arguments:
        if not evaluate(spec["when"], axes):
            built[spec["name"]] = None
        elif spec["kind"] == "value":
            built[spec["name"]] = value_of(spec["value"], axes)
        else:
            shape = [int(evaluate(size, axes)) for size in spec["shape"]]
            dtype = getattr(torch, axes.get(spec["dtype"], spec["dtype"]))
            made = torch.empty(shape, dtype=dtype, device="meta")
            if spec.get("strides"):
                strides = [int(evaluate(stride, axes)) for stride in spec["strides"]]
                made = torch.empty_strided(shape, strides, dtype=dtype, device="meta")
            built[spec["name"]] = made
    return built
