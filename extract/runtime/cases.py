"""The calls of this harness: builds a case's arguments, makes the call, and keeps everything that the call did.

Copied unchanged into every harness. Needs torch and the standard library. A case binds each axis of workloads.json and
adds a seed, a profile of values and a layout; everything else follows from the contract in that file.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

GUARD = 256
"""Bytes of red zone on each side of a tensor argument: a multiple of every alignment a kernel may rely on."""

GUARD_BYTE = 0xA5

PROFILES = ("normal", "small", "large", "subnormal", "zeros", "constant", "outlier", "infinite", "nan")
"""What the floating-point contents of a case look like; index tensors are valid under every profile."""

LAYOUTS = ("contiguous", "offset", "rows", "heads")
"""contiguous; the same one element past an aligned address; gaps between the entries of the first axis; gaps after
each run of the last axis, as padded heads have them, with all outer strides grown to match."""

GAP = 16
"""Elements of such a gap: a row's start stays as aligned as it was."""


class Case:
    """One call: `Case(T=64, H=32, DT="bfloat16", seed=7)`. Prints as what would build it again.

    `within` makes it the leading part of a larger one: `Case(T=5, H=32, within={"T": 9})` holds the first 5 of 9 rows.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        values: str = "normal",
        layout: str = "contiguous",
        within: dict[str, int] | None = None,
        **axes: Any,
    ) -> None:
        self.axes, self.seed, self.values, self.layout, self.within = axes, seed, values, layout, within

    def __repr__(self) -> str:
        defaults = {"seed": 0, "values": "normal", "layout": "contiguous", "within": None}
        extra = {name: getattr(self, name) for name in defaults if getattr(self, name) != defaults[name]}
        return f"Case({', '.join(f'{name}={value!r}' for name, value in {**self.axes, **extra}.items())})"

    def to_json(self) -> dict[str, Any]:
        own = {"seed": self.seed, "values": self.values, "layout": self.layout, "within": self.within}
        return {**own, **self.axes}

    def but(self, **changes: Any) -> Case:
        """The same case with some of its axes or other fields changed."""
        return Case(**{**self.to_json(), **changes})


@dataclass(frozen=True)
class Contract:
    """workloads.json as read: see its `axes`, `arguments`, `constraints` and `workloads`."""

    axes: dict[str, dict[str, Any]]
    arguments: list[dict[str, Any]]
    constraints: list[str]
    traffic: str
    flops: str
    workloads: list[dict[str, Any]]

    @staticmethod
    def read(folder: Path) -> Contract:
        data = json.loads((folder / "workloads.json").read_text())
        axes = {axis["name"]: axis for axis in data["axes"]}
        return Contract(axes, data["arguments"], data["constraints"], data["traffic"], data["flops"], data["workloads"])

    def admits(self, case: Case) -> bool:
        """Whether the case keeps the launcher's constraints."""
        return all(evaluate(constraint, case.axes) for constraint in self.constraints)

    def cases(self) -> Iterator[tuple[dict[str, Any], Case]]:
        """Each workload with its case, seeded by its name so that no two share their data."""
        for workload in self.workloads:
            yield workload, Case(seed=zlib.crc32(workload["name"].encode()), **workload["axes"])


def evaluate(expression: str, axes: dict[str, Any]) -> Any:
    """The value of a contract's expression. Contracts are written by the harness's author, not by a candidate."""
    names = {
        "min": min,
        "max": max,
        "cdiv": lambda a, b: -(-a // b),
        "next_power_of_2": _next_power_of_2,
        "sqrt": math.sqrt,
        "itemsize": lambda dtype: getattr(torch, dtype).itemsize,
    }
    return eval(expression, {"__builtins__": {}}, {**names, **axes})  # noqa: S307 - see the docstring


def _next_power_of_2(n: int) -> int:
    return 1 << max(0, int(n) - 1).bit_length()


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
            arguments[name] = _value(spec["value"], case.axes)
    if case.within:
        larger = build(contract, case.but(within=None, **case.within), device)
        for name, buffer in buffers.items():
            leading = tuple(slice(size) for size in buffer.view.shape)
            once(buffer.view).copy_(once(larger.buffers[name].view[leading]))
    return Call(arguments, buffers)


def _value(value: Any, axes: dict[str, Any]) -> Any:
    match value:
        case str() if value.startswith("="):
            return evaluate(value[1:], axes)
        case {"dtype": name}:
            return getattr(torch, axes.get(name, name))
        case {"triton": name}:  # one of triton.language's own, as a kernel's constexpr takes it
            return getattr(importlib.import_module("triton.language"), name)
        case list():
            return [_value(item, axes) for item in value]
        case {"tuple": items}:
            return tuple(_value(item, axes) for item in items)
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


def fill(view: torch.Tensor, kind: str, bound: int, profile: str, generator: torch.Generator) -> None:
    """Write contents of a kind into the view; `bound` is what index contents stay below, or a kind's own parameter."""
    view = once(view)
    view.copy_(CONTENTS[kind](tuple(view.shape), bound, profile, generator))


def once(view: torch.Tensor) -> torch.Tensor:
    """The part of an expanded tensor that holds each element in memory once; any other tensor as it is."""
    return view[tuple(slice(1) if stride == 0 else slice(None) for stride in view.stride())]


Contents = Callable[[tuple[int, ...], int, str, torch.Generator], torch.Tensor]


def _random(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    return torch.randn(shape, generator=generator, device=generator.device)


def _normal(shape: tuple[int, ...], _bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    x = _random(shape, generator)
    scale = {"small": 1e-3, "large": 100.0, "subnormal": 1e-39, "zeros": 0.0}.get(profile, 1.0)
    x = x * scale
    if profile == "zeros":
        x = torch.where(_random(shape, generator) > 0, 0.0, -0.0)
    elif profile == "constant":
        x = torch.full_like(x, 0.5)
    elif profile in ("outlier", "infinite", "nan") and x.numel():
        special = {"outlier": 3e4, "infinite": math.inf, "nan": math.nan}[profile]
        at = torch.randint(x.numel(), (1 + x.numel() // 97,), generator=generator, device=x.device)
        x.view(-1)[at] = special
    return x


def _log_sum_exp(shape: tuple[int, ...], _bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """Of attention parts: around 5, and -inf or +inf for parts that saw no key."""
    x = _random(shape, generator) * 3 + 5
    if profile in ("infinite", "zeros") and x.numel():
        pick = torch.rand(shape, generator=generator, device=x.device)
        x = torch.where(pick < 0.1, -math.inf, torch.where(pick < 0.15, math.inf, x))
    return x


def _index(shape: tuple[int, ...], bound: int, _profile: str, generator: torch.Generator) -> torch.Tensor:
    return torch.randint(max(1, bound), shape, generator=generator, device=generator.device)


def _permutation(shape: tuple[int, ...], bound: int, _profile: str, generator: torch.Generator) -> torch.Tensor:
    """Distinct numbers below the bound, as page tables and slot mappings hold them."""
    return torch.randperm(max(bound, math.prod(shape)), generator=generator, device=generator.device)[
        : math.prod(shape)
    ].view(shape)


def _slots(shape: tuple[int, ...], bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """Distinct cache slots; about one in eight is -1 (padding, to be skipped) under every profile but normal."""
    slots = _permutation(shape, bound, profile, generator)
    skipped = torch.rand(shape, generator=generator, device=generator.device) < 0.125
    return slots if profile == "normal" else torch.where(skipped, -1, slots)


def _lengths(shape: tuple[int, ...], bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """Sequence lengths from 1 to the bound: all of them full under the normal profile, ragged under the others."""
    if profile == "normal":
        return torch.full(shape, bound, device=generator.device)
    return torch.randint(1, max(2, bound + 1), shape, generator=generator, device=generator.device)


def _cumulative(shape: tuple[int, ...], bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """Where each sequence begins and the last one ends, from 0 to the bound; evenly under the normal profile."""
    inner = max(0, math.prod(shape) - 2)
    cuts = torch.arange(1, inner + 1, device=generator.device) * bound // (inner + 1)
    if profile != "normal":
        cuts = torch.randint(bound + 1, (inner,), generator=generator, device=generator.device).sort().values
    ends = [torch.tensor([end], device=generator.device) for end in (0, bound)]
    return torch.cat([ends[0], cuts, ends[1]])[: math.prod(shape)].view(shape)


def _cos_sin(shape: tuple[int, ...], _bound: int, _profile: str, generator: torch.Generator) -> torch.Tensor:
    """A rotary cache: [positions, rotary_dim], cosines in the first half of a row and sines in the second."""
    positions, dim = shape
    inverse = 10000.0 ** -(torch.arange(dim // 2, device=generator.device) * 2.0 / max(1, dim))
    angle = torch.arange(positions, device=generator.device)[:, None] * inverse[None, :]
    return torch.cat([angle.cos(), angle.sin()], dim=1)


# An "output" is to be written whole, so it starts as NaN; a "scratch" is the callee's to use: none of it is compared.
CONTENTS: dict[str, Contents] = {
    "normal": _normal,
    "log_sum_exp": _log_sum_exp,
    "index": _index,
    "permutation": _permutation,
    "slots": _slots,
    "lengths": _lengths,
    "cumulative": _cumulative,
    "cos_sin": _cos_sin,
    "scale": lambda shape, _b, _p, g: torch.rand(shape, generator=g, device=g.device) + 0.5,
    "probability": lambda shape, _b, _p, g: torch.rand(shape, generator=g, device=g.device),
    "arange": lambda shape, bound, _p, g: torch.arange(math.prod(shape), device=g.device).view(shape) * max(1, bound),
    "zeros": lambda shape, _b, _p, g: torch.zeros(shape, device=g.device),
    "output": lambda shape, _b, _p, g: torch.full(shape, math.nan, device=g.device),
    "scratch": lambda shape, _b, _p, g: torch.full(shape, math.nan, device=g.device),
    "ones": lambda shape, _b, _p, g: torch.ones(shape, device=g.device),
}


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


def perform(entry: Callable[..., Any], contract: Contract, case: Case, device: str, *, how: str = "direct") -> Outcome:
    """Make the call with every fresh allocation filled with NaN (or the largest integer), and keep what it did.

    `how` is "direct", "stream" (on a stream that is not the default one), "graph" (captured once, replayed once) or
    "again" (called once more, on other values of the same shape, before the results of the first call are read).
    """
    call = build(contract, case, device)
    given = {name: buffer.raw.clone() for name, buffer in call.buffers.items()}
    allocations, way = Allocations(), WAYS[how]
    before = torch.are_deterministic_algorithms_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Under this mode torch fills what torch.empty returns: an element nobody writes shows as NaN.
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            if how == "graph":  # compile outside the capture, on arguments of its own
                entry(**build(contract, case, device).arguments)
            with allocations:
                returned = way(entry, call)
            if how == "again":
                _direct(entry, build(contract, case.but(seed=case.seed + 1), device))
        except raised() as error:
            return Outcome([], f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
        finally:
            torch.use_deterministic_algorithms(before)
    # On a stream of its own: reading on the default one would wait for what the callee left there.
    with torch.cuda.stream(torch.cuda.Stream()) if how == "stream" else contextlib.nullcontext():
        leaves = [*_returned_leaves("return", returned, call), *_argument_leaves(contract, call, given)]
    return Outcome(leaves, overrun=allocations.overrun())


FRESH = ("empty", "zeros", "ones", "full")
"""What makes a fresh tensor in torch.ops.aten; each also as NAME_like, new_NAME, and empty_strided."""


class Allocations(TorchDispatchMode):  # type: ignore[misc]  # torch is not read by mypy
    """Gives every fresh tensor of the callee red zones too: an unmasked store mostly runs past the end of an output."""

    def __init__(self) -> None:
        super().__init__()
        self.buffers: list[Buffer] = []

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        fresh = func(*args, **(kwargs or {}))
        if not _is_fresh(func.overloadpacket.__name__) or not fresh.numel() or fresh.layout is not torch.strided:
            return fresh
        span = 1 + sum((n - 1) * s for n, s in zip(fresh.shape, fresh.stride(), strict=True))
        size = span * fresh.element_size() + 2 * GUARD
        raw = torch.full((size,), GUARD_BYTE, dtype=torch.uint8, device=fresh.device)
        view = raw[GUARD : size - GUARD].view(fresh.dtype).as_strided(fresh.shape, fresh.stride())
        view.copy_(fresh)
        self.buffers.append(Buffer(f"allocation {len(self.buffers)}", raw, view, GUARD))
        return view

    def overrun(self) -> str:
        """The first fresh tensor whose red zone was written, in words."""
        for buffer in self.buffers:
            if damaged := int((buffer.outside & (buffer.raw != GUARD_BYTE)).sum()):
                shape = tuple(buffer.view.shape)
                return f"{damaged} bytes around a new tensor of shape {shape} were overwritten"
        return ""


RAISED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a launcher may raise on a case it does not take; a crash or a hang is the caller's to see."""


def raised() -> tuple[type[Exception], ...]:
    """RAISED, and what triton raises on a kernel that does not compile or fit; triton itself is not imported here."""
    errors = sys.modules.get("triton.errors")
    return (*RAISED, errors.TritonError) if errors else RAISED


def _direct(entry: Callable[..., Any], call: Call) -> Any:
    returned = entry(**call.arguments)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return returned


def _on_stream(entry: Callable[..., Any], call: Call) -> Any:
    torch.cuda.synchronize()
    torch.cuda._sleep(20_000_000)  # noqa: SLF001 - about 10 ms, in which what is left on the default stream stays undone
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        returned = entry(**call.arguments)
    stream.synchronize()  # this stream only: work left on another one is not waited for
    return returned


def _in_graph(entry: Callable[..., Any], call: Call) -> Any:
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        returned = entry(**call.arguments)
    graph.replay()
    torch.cuda.synchronize()
    return returned


WAYS: dict[str, Callable[[Callable[..., Any], Call], Any]] = {
    "direct": _direct,
    "stream": _on_stream,
    "graph": _in_graph,
    "again": _direct,
}


def _returned_leaves(path: str, value: Any, call: Call) -> Iterator[Leaf]:
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
            yield from _returned_leaves(f"{path}[{index}]", item, call)
    else:
        yield Leaf(
            path,
            "value",
            repr(value) if isinstance(value, (int, float, str, bool, type(None))) else type(value).__name__,
        )


def _argument_leaves(contract: Contract, call: Call, given: dict[str, torch.Tensor]) -> Iterator[Leaf]:
    """Every tensor argument as the call left it; `given` holds the bytes that it found."""
    scratch = {spec["name"] for spec in contract.arguments if spec["values"] == "scratch"}
    for name, buffer in call.buffers.items():
        view, raw = buffer.view, buffer.raw.cpu()
        yield Leaf(
            f"argument {name}",
            "scratch" if name in scratch else "tensor",
            dtype=str(view.dtype),
            shape=tuple(view.shape),
            strides=view.stride(),
            raw=raw,
            start=buffer.start,
            written=not torch.equal(raw, given[name].cpu()),
        )


def _is_fresh(name: str) -> bool:
    return name.removeprefix("new_").removesuffix("_like").removesuffix("_strided") in FRESH


def _shares(raw: torch.Tensor, value: torch.Tensor) -> bool:
    first, start = int(value.data_ptr()), int(raw.data_ptr())
    return bool(value.numel() > 0 and start <= first < start + raw.numel())


def tensor_of(leaf: Leaf) -> torch.Tensor:
    """The leaf's elements as a tensor of its dtype and shape."""
    dtype = getattr(torch, leaf.dtype.removeprefix("torch."))
    if not leaf.path.startswith("argument"):
        return leaf.raw.view(dtype).view(leaf.shape) if leaf.raw.numel() else torch.empty(leaf.shape, dtype=dtype)
    return leaf.raw[leaf.start :].view(dtype).as_strided(leaf.shape, leaf.strides)
