"""Compiles what a launcher would launch, for a target, without a GPU and without launching anything.

The launcher is called on CPU tensors of the workload's real sizes under a stand-in for triton's driver; each launch is
compiled with the specialisation it would have had (alignment, equal to one) and recorded.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
import triton
from torch.utils._python_dispatch import TorchDispatchMode
from triton.backends.compiler import GPUTarget
from triton.runtime.autotuner import Autotuner
from triton.runtime.jit import JITFunction

from . import sass
from .calls import building, cases, contents, elements, entry_of, performing
from .walls import seen, shut_in

MOST_ELEMENTS = 1 << 30
"""A workload with more is not built in host memory, and is reported as not compiled."""
MULTIPROCESSORS = 132
NO_ARITHMETIC = re.compile(
    r"_?(alias|arange|as_strided|clone|contiguous|copy_|detach|empty|expand|fill|full|lift|local_scalar|narrow|"
    r"new_empty|ones|permute|reshape|select|slice|split|squeeze|t\.|to_copy|transpose|unbind|unsafe_view|unsqueeze|view|zero)"
)
"""How the names of torch operators begin that allocate, move or look at data."""


@dataclass
class Recorder:
    """What a call launched, and which torch operators did arithmetic in it."""

    launches: list[dict[str, Any]] = field(default_factory=list)
    operators: set[str] = field(default_factory=set)


def prepare(shared: dict[str, Any]) -> dict[str, Any]:
    """`shared`: folder, entry, arch (sm_90), multiprocessors; `only`: names of the workloads to compile, or None.

    `any`: whether torch may do all the work; `walls`: how this process shuts itself in before it imports a candidate,
    or None.
    """
    folder = Path(shared["folder"])
    watched = shut_in(shared["walls"], folder) if shared["walls"] else None
    return {**shared, "contract": cases.Contract.read(folder), "watched": watched}


def handle(state: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    """`item`: path of a kernel.py. Gives one record a launch, the arithmetic operators used, and what was left out."""
    recorder, left_out = Recorder(), list[str]()
    try:
        _call_all(state, item["path"], recorder, left_out)
    except (OSError, *performing.raised()):
        if notes := seen(state["watched"]):  # what was refused is why it failed
            return {"findings": notes}
        raise
    found = {"launches": recorder.launches, "operators": sorted(recorder.operators), "left_out": left_out}
    return {**found, "findings": seen(state["watched"])}


def _call_all(state: dict[str, Any], path: str, recorder: Recorder, left_out: list[str]) -> None:
    """The launcher's call on each workload, with its launches compiled instead of made."""
    contract, name = state["contract"], "kernel_" + hashlib.sha256(path.encode()).hexdigest()[:8]
    with standing_in(state["arch"], state.get("multiprocessors") or MULTIPROCESSORS), lean_contents():
        entry = entry_of(path, name, state["entry"])
        for workload, case in contract.cases():
            if state["only"] is not None and workload["name"] not in state["only"]:
                continue
            if elements(contract, case) > MOST_ELEMENTS:
                left_out.append(f"{workload['name']}: larger than host memory allows, not compiled")
                continue
            call = building.build(contract, case, "cpu")
            with recording(recorder, workload["name"]):
                entry(**call.arguments)
            if state["any"] and not recorder.launches:
                left_out.append("launches no kernel of its own: nothing to compile")
                break


class StandIn:
    """What triton asks of a driver before a launch; nothing here can launch."""

    def __init__(self, arch: str) -> None:
        self._arch = int(arch.removeprefix("sm_"))
        self._target = GPUTarget("cuda", self._arch, 32)

    def get_current_target(self) -> GPUTarget:
        return self._target

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, _device: int | None = None) -> int:
        return 0

    def get_active_torch_device(self) -> torch.device:
        return torch.device("cpu")

    def get_device_interface(self) -> Any:
        return torch.cuda

    def get_device_capability(self, _device: int = 0) -> tuple[int, int]:
        return self._arch // 10, self._arch % 10

    def get_benchmarker(self) -> Callable[..., list[float]]:
        return compile_instead


def compile_instead(call: Callable[[], Any], **_options: object) -> list[float]:
    """In place of an autotuner's benchmark: compiles the configuration, and makes the first one the choice."""
    call()
    return [1.0, 1.0, 1.0]


@contextlib.contextmanager
def standing_in(arch: str, multiprocessors: int) -> Iterator[None]:
    """Triton and torch answer as on a machine with one GPU of that architecture."""
    driver = StandIn(arch)
    capability = driver.get_device_capability()
    facts = SimpleNamespace(
        name=arch, major=capability[0], minor=capability[1], multi_processor_count=multiprocessors, warp_size=32
    )
    triton.runtime.driver.set_active(driver)
    with (
        mock.patch.object(torch.cuda, "get_device_capability", return_value=capability),
        mock.patch.object(torch.cuda, "get_device_properties", return_value=facts),
        mock.patch.object(torch.cuda, "current_device", return_value=0),
        mock.patch.object(torch.cuda, "device", return_value=contextlib.nullcontext()),
        mock.patch.object(Autotuner, "do_bench", property(lambda _self: compile_instead)),
    ):
        yield


@contextlib.contextmanager
def lean_contents() -> Iterator[None]:
    """Floating-point contents are zeros here: nothing reads them, and random numbers take most of the time."""

    def zeros(shape: tuple[int, ...], *_rest: object) -> torch.Tensor:
        return torch.zeros(()).expand(shape)

    with mock.patch.dict(contents.CONTENTS, dict.fromkeys(("normal", "log_sum_exp", "scale", "probability"), zeros)):
        yield


class Operators(TorchDispatchMode):  # type: ignore[misc]  # torch is not there to be read
    """Collects the torch operators that do arithmetic while it is entered."""

    def __init__(self, found: set[str]) -> None:
        super().__init__()
        self._found = found

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Not wrapped by torch's compiler, whose import takes seconds a process."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func).removeprefix("aten.")
        if not NO_ARITHMETIC.match(name):
            self._found.add(name)
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def recording(recorder: Recorder, workload: str) -> Iterator[None]:
    """Every launch inside is compiled, not made, and noted with its grid and its constants."""
    launch = JITFunction.run

    def compile_only(self: Any, *args: Any, grid: Any, warmup: bool = False, **options: Any) -> Any:  # noqa: ARG001
        compiled = launch(self, *args, grid=grid, warmup=True, **options)
        if compiled is not None:
            recorder.launches.append({"workload": workload, **describe(self, compiled, grid, args, options)})
        return compiled

    with mock.patch.object(JITFunction, "run", compile_only), Operators(recorder.operators):
        yield


def describe(function: Any, compiled: Any, grid: Any, args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """One launch as the gate's Resources need it, with its grid and the values of its constants."""
    parameters = inspect.signature(function.fn).parameters
    bound = inspect.signature(function.fn).bind(*args, **{k: v for k, v in options.items() if k in parameters})
    bound.apply_defaults()
    sizes = grid(bound.arguments) if callable(grid) else grid
    constants = {p.name: repr(bound.arguments[p.name]) for p in function.params if p.is_constexpr}
    found = sass.facts(compiled.asm["cubin"])
    return {
        "kernel": function.fn.__name__,
        "grid": [int(size) for size in sizes],
        "constants": constants,
        "registers": found["registers"],
        "shared_bytes": int(compiled.metadata.shared),
        "spill_bytes": found["stack_bytes"] if found["spills"] else 0,
        "load_bits": found["load_bits"],
        "store_bits": found["store_bits"],
        "loads": found["loads"],
        "instructions": found["instructions"],
        "num_warps": int(compiled.metadata.num_warps),
        "num_stages": int(compiled.metadata.num_stages),
    }
