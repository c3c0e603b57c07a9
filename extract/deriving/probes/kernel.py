"""Runs one kernel under the Triton interpreter for a derivation: on memory that is not there, then on tensors.

On virtual memory every pointer is a number of its own range and every stride a power of its own, so that an address
says which element of which tensor was meant, along which dimension. Loads give made-up values, stores go nowhere.
`answers` is what a fork of a warm interpreter is asked for. Needs torch, triton and the harness runtime.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import inspect
import itertools
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import triton.language as tl
from triton.runtime import interpreter

building, cases = (importlib.import_module(f"runtime.{name}") for name in ("building", "cases"))
subject = importlib.import_module("runtime.subject")


def _sibling(name: str) -> Any:
    """The module of that name beside this file: its folder is on nobody's path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


launcher = _sibling("launcher")

Json = dict[str, Any]

ALL, FIRST = -1, -2

FEW = (1, 5, 3, 2)
"""Programs along each dimension of a grid, by how many of its dimensions have more than one."""

ELEMENTS_EACH_S = 1 << 24
"""Of all tensors of a trial, for each second that it may take: about what can be filled with random numbers."""

SPACE_BITS = 52
"""Address bits of one virtual tensor: 2^52 bytes each, 4,000 tensors."""


class OverrunError(BaseException):
    """The time for one trial is up; no kernel's `except Exception` may catch it."""


class Wide(int):
    """A stride that is to be 64 bits wide whatever its value: products with it may not wrap around."""


class Virtual:
    """A tensor without memory: what the interpreter asks of an argument that is a pointer."""

    def __init__(self, place: int, spec: Json) -> None:
        self.base = (place + 1) << SPACE_BITS
        self.dtype: torch.dtype = getattr(torch, spec["dtype"])
        self.size = torch.empty((), dtype=self.dtype).element_size()
        self.content, self.bound = spec["content"], int(spec["bound"])
        self.steps: list[int] = spec["steps"]
        """Value of each stride, largest first."""
        self.extents = [-1] * (len(self.steps) + 1)
        self.flat, self.low = -1, 0
        self.loaded = self.stored = False

    def data_ptr(self) -> int:
        return self.base

    def note(self, offsets: Any, writes: bool) -> None:
        """Keep the furthest element along each dimension."""
        self.loaded, self.stored = self.loaded or not writes, self.stored or writes
        self.flat, self.low = max(self.flat, int(offsets.max())), min(self.low, int(offsets.min()))
        rest = offsets
        for at, step in enumerate(self.steps):
            digit = rest // step
            self.extents[at] = max(self.extents[at], int(digit.max()))
            rest = rest - digit * step
        self.extents[-1] = max(self.extents[-1], int(rest.max()))

    def values(self, offsets: Any, dtype: Any) -> Any:
        """What a load finds: equal offsets give equal values."""
        flat = self._flat(offsets)
        match self.content:
            case "index" | "permutation":
                found = (self.bound - 1 - flat) % max(1, self.bound)
            case "lengths":
                found = np.full_like(flat, self.bound)
            case "arange":
                found = flat * max(1, self.bound)
            case "ones":
                found = np.ones_like(flat)
            case _:
                noise = ((flat * 2654435761 + self.base // 977) % 2039) / 1019.5 - 1.0
                return _raw(noise, self.dtype, dtype)
        return found.astype(dtype)

    def _flat(self, offsets: Any) -> Any:
        """Offsets as if the dimensions were small, so that neighbours along each differ."""
        rest, flat = offsets, np.zeros_like(offsets)
        for step in self.steps:
            digit = rest // step
            rest = rest - digit * step
            flat = flat * 7 + digit
        return flat * 5 + rest if self.steps else rest


def _raw(numbers: Any, dtype: torch.dtype, wanted: Any) -> Any:
    """Floating-point numbers as the interpreter holds them: bfloat16 and fp8 as bit patterns."""
    if not dtype.is_floating_point:
        return (numbers * 3).astype(wanted)
    tensor = torch.from_numpy(np.ascontiguousarray(numbers, dtype=np.float32)).to(dtype)
    bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    return tensor.contiguous().view(bits).numpy().view(wanted) if tensor.dim() else np.array(numbers, dtype=wanted)


class VirtualMemory:
    """Stands in the place of the interpreter's memory."""

    def __init__(self, tensors: dict[str, Virtual]) -> None:
        self._tensors = {tensor.base >> SPACE_BITS: tensor for tensor in tensors.values()}
        self.accesses = 0

    def load(self, pointers: Any, mask: Any, other: Any, dtype: Any) -> Any:
        found = np.broadcast_to(other, pointers.shape).astype(dtype).copy()
        for tensor, mine, offsets in self._meant(pointers, mask):
            tensor.note(offsets, writes=False)
            found[mine] = tensor.values(offsets, dtype)
        return found

    def store(self, pointers: Any, _values: Any, mask: Any) -> None:
        for tensor, _, offsets in self._meant(pointers, mask):
            tensor.note(offsets, writes=True)

    def atomic_rmw(self, _operation: Any, pointers: Any, values: Any, mask: Any, _order: Any) -> Any:
        self.store(pointers, values, mask)
        return self.load(pointers, mask, np.zeros_like(values), values.dtype)

    def atomic_cas(self, pointers: Any, _compared: Any, values: Any, _order: Any) -> Any:
        return self.atomic_rmw(None, pointers, values, np.ones(pointers.shape, dtype=bool), None)

    def _meant(self, pointers: Any, mask: Any) -> Iterator[tuple[Virtual, Any, Any]]:
        self.accesses += 1
        mask = np.broadcast_to(mask, pointers.shape).astype(bool)  # as in launcher.Watch
        if not mask.any():
            return
        half = np.uint64(1 << (SPACE_BITS - 1))
        places = (pointers + half) >> np.uint64(SPACE_BITS)  # half a range below its base still counts as that tensor's
        meant = places[mask]
        alone = bool((meant == meant[0]).all())
        for place in meant[:1] if alone else np.unique(meant):
            tensor = self._tensors.get(int(place))
            if tensor is None:
                raise IndexError("an address that belongs to no argument")
            mine = mask if alone else mask & (places == place)
            yield tensor, mine, (pointers[mine] - np.uint64(tensor.base)).astype(np.int64) // tensor.size


@contextmanager
def _memory(memory: object) -> Iterator[None]:
    """Let the interpreter use other memory, pass arguments on as they are, and run a few programs of a grid."""
    executor = interpreter.GridExecutor
    kept = interpreter._interpreter, executor.__call__, interpreter._implicit_cvt  # noqa: SLF001 - no public way

    def wide(given: Any) -> Any:
        if isinstance(given, Wide):
            return tl.tensor(interpreter.TensorHandle(np.array([given], dtype=np.int64), tl.int64), tl.int64)
        return kept[2](given)

    interpreter._interpreter, interpreter._implicit_cvt = memory, wide  # noqa: SLF001
    executor.__call__ = _launched
    try:
        yield
    finally:
        interpreter._interpreter, executor.__call__, interpreter._implicit_cvt = kept  # noqa: SLF001


def _launched(executor: Any, *given: Any, **named: Any) -> None:
    """What the interpreter does with a launch, for a sample of its programs."""
    own = inspect.getfullargspec(executor.fn).args
    bound = inspect.getcallargs(executor.fn, *given, **{name: named[name] for name in named if name in own})
    convert = interpreter._implicit_cvt  # noqa: SLF001
    values = {name: one if name in executor.constexprs else convert(one) for name, one in bound.items()}
    grid = executor.grid(values) if callable(executor.grid) else executor.grid
    grid = (*grid, 1, 1)[:3]
    interpreter._patch_lang(executor.fn)  # noqa: SLF001
    interpreter.interpreter_builder.set_grid_dim(*grid)
    for place in sampled(grid):
        interpreter.interpreter_builder.set_grid_idx(*place)
        executor.fn(**values)


def sampled(grid: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Programs that reach as far as all of a grid do where addresses grow along it: few of each dimension, its ends
    among them."""
    few = FEW[sum(size > 1 for size in grid)]
    along = ({at * (size - 1) // max(1, few - 1) for at in range(few)} if size > 0 else set() for size in grid)
    return itertools.product(*map(sorted, along))


def virtual(entry: Callable[..., Any], request: Json) -> Json:
    """One launch on virtual memory: error, line, and for each tensor the furthest element along each dimension."""
    tensors = {name: Virtual(place, spec) for place, (name, spec) in enumerate(request["tensors"].items())}
    values = {name: building.value_of(value, {}) for name, value in request["values"].items()}
    values |= {name: Wide(value) for name, value in request["strides"].items()}
    memory = VirtualMemory(tensors)
    error, line = "", 0
    with _memory(memory):
        try:
            entry(**tensors, **values)
        except BaseException as raised:  # noqa: BLE001 - anything that somebody's code raises is the trial's result
            error, line = launcher.described(raised)
    touched = {
        name: {
            "extents": tensor.extents,
            "flat": tensor.flat,
            "low": tensor.low,
            "loaded": tensor.loaded,
            "stored": tensor.stored,
        }
        for name, tensor in tensors.items()
        if tensor.flat >= 0
    }
    return {"error": error, "line": line, "touched": touched, "accesses": memory.accesses}


def _alarm(_signal: int, _frame: object) -> None:
    raise OverrunError("took longer than a trial may")


def probe(entry: Callable[..., Any], request: Json) -> Json:
    """The answer to one request, within `limit_s` seconds of its own CPU time."""
    before = signal.signal(signal.SIGPROF, _alarm)
    signal.setitimer(signal.ITIMER_PROF, request["limit_s"])
    try:
        if "contract" not in request:
            return virtual(entry, request)
        spec = request["contract"]
        axes = {axis["name"]: axis for axis in spec["axes"]}
        contract = cases.Contract(axes, spec["arguments"], spec["constraints"], "", "", [])
        case = cases.Case(**request["case"])
        if _elements(contract, case) > request["limit_s"] * ELEMENTS_EACH_S:
            raise OverrunError("larger than a trial may be")
        return dict(launcher.trial(entry, contract, case))
    except OverrunError as error:
        return {**launcher.NOTHING, "error": f"OverrunError: {error}", "touched": {}, "accesses": 0}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _elements(contract: Any, case: Any) -> int:
    """Of all tensors of the case together."""
    present = [one for one in contract.arguments if one["kind"] == "tensor" and cases.evaluate(one["when"], case.axes)]
    return sum(math.prod(int(cases.evaluate(size, case.axes)) for size in one["shape"]) for one in present)


@functools.cache
def load_entry(folder: Path, entry: str) -> Callable[..., Any]:
    """The entry of folder/kernel.py."""
    function: Callable[..., Any] = getattr(subject.load(folder / "kernel.py", "kernel"), entry)
    return function


def answers(entry: str, requests: list[Json], beyond: int, within_s: float) -> list[Json]:
    """One answer for each request about the entry of the working folder's kernel.py, up to the first that succeeds.

    With `beyond` at ALL all are answered, at FIRST all or, where the first does not end well, that alone; else one
    succeeds that ends without an error or makes more accesses than that, and none is begun after `within_s` CPU seconds
    but the first.
    """
    torch.cuda.device = lambda _device: contextlib.nullcontext()  # launchers enter it; here there is no device
    torch.cuda.get_device_capability = lambda _device=None: (9, 0)
    function, given, limit_s = load_entry(Path.cwd(), entry), [], time.process_time() + within_s
    for request in requests:
        given.append(probe(function, request))
        if beyond == FIRST and given[0]["error"]:
            break
        if beyond >= 0 and (not given[-1]["error"] or given[-1]["accesses"] > beyond or time.process_time() > limit_s):
            break
    return given
