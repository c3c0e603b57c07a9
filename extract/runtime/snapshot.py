"""What a candidate has no business changing: functions that time, compare and read tensors, and torch's settings.

Copied unchanged into every harness.
"""

from __future__ import annotations

import builtins
import gc
import importlib
import random
import signal
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch

MODULES = (
    *("builtins", "time", "os", "gc", "json", "pickle", "random", "math", "_thread", "threading", "io"),
    *("torch", "torch.cuda", "torch.testing", "torch.testing._comparison", "torch.nn.functional", "torch.linalg"),
    *("torch.utils.deterministic", "torch.utils._python_dispatch", "torch.utils.benchmark", "torch.random"),
    *("torch.cuda.random", "torch.cuda.streams", "torch.cuda.memory", "torch.serialization"),
    *("triton", "triton.testing", "triton.runtime.jit", "triton.runtime.autotuner", "triton.runtime.interpreter"),
)
TYPES = (
    *("torch.Tensor", "torch._C.TensorBase", "torch.cuda.Event", "torch.cuda.Stream", "torch.Generator"),
    *("triton.runtime.jit.JITFunction", "triton.runtime.autotuner.Autotuner", "threading.Thread"),
)
CALLABLE = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    type,
)


class Snapshot:
    """Who is who at one moment: every function of what matters, and the settings that change results."""

    def __init__(self) -> None:
        types_of = _types()
        self._had = {name: (kind, set(vars(kind))) for name, kind in types_of.items()}
        self._places: dict[str, Any] = {name: vars(module) for name, module in _modules()}
        self._places |= {name: vars(kind) for name, kind in types_of.items()}
        self._known = {
            name: {key: (value, _code(value)) for key, value in list(place.items()) if isinstance(value, CALLABLE)}
            for name, place in self._places.items()
        }
        self._settings = settings()
        self._modules = {name: sys.modules[name] for name in self._places if name in sys.modules}

    def change(self) -> str:
        """The first thing that is no longer what it was, in words; empty where all is."""
        now_set = settings()
        for name, was in self._settings.items():
            if now_set[name] != was:
                return f"{name} was {was} and is {now_set[name]}"
        for name, known in self._known.items():
            place = self._places[name]
            for key, (value, code) in known.items():
                now = place.get(key)
                if _code(value) is not code or (now is not value and not _wrapped(now, key)):
                    return f"{name}.{key} was replaced"
        for name, (kind, had) in self._had.items():
            for key in vars(kind).keys() - had:
                if any(key in vars(base) for base in kind.__mro__[1:]):
                    return f"{name}.{key} was put before the one it inherits"
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module:
                return f"module {name} was replaced"
        return ""


def _code(value: Any) -> Any:
    return value.__code__ if type(value) is types.FunctionType else None


def _wrapped(now: Any, name: str) -> bool:
    """Whether an installed package put its own wrapper of that name there: torch does so when it first compiles."""
    return _of_a_package(now) and now.__name__ == name


def _of_a_package(value: Any) -> bool:
    """Whether it is a function of an installed package."""
    code = _code(value)
    return code is not None and "-packages/" in code.co_filename


def _modules() -> Iterator[tuple[str, types.ModuleType]]:
    for name in MODULES:
        try:
            yield name, importlib.import_module(name)
        except ImportError:  # no triton, or another release of it
            continue
    yield from ((name, module) for name, module in list(sys.modules.items()) if name.startswith("runtime."))


def _types() -> dict[str, type]:
    found: dict[str, type] = {}
    for name in TYPES:
        module, _, attribute = name.rpartition(".")
        holder = sys.modules.get(module)
        if holder is not None and hasattr(holder, attribute):
            found[name] = getattr(holder, attribute)
    return found


def _handlers() -> Iterator[tuple[signal.Signals, Any]]:
    """Signals that a function answers."""
    for one in signal.Signals:
        if callable(call := signal.getsignal(one)) and not isinstance(call, signal.Handlers):
            yield one, call


def _named(call: Any) -> str:
    return getattr(call, "__qualname__", "") or type(call).__qualname__


def _modes() -> tuple[int, int]:
    return torch._C._len_torch_dispatch_stack(), torch._C._len_torch_function_stack()  # noqa: SLF001 - as torch's own


SETTINGS: dict[str, Callable[[], Any]] = {
    "default dtype": torch.get_default_dtype,
    "default device": lambda: str(torch.get_default_device()),
    "grad mode": torch.is_grad_enabled,
    "inference mode": torch.is_inference_mode_enabled,
    "deterministic algorithms": torch.are_deterministic_algorithms_enabled,
    "filling of new memory": lambda: torch.utils.deterministic.fill_uninitialized_memory,
    "precision of float32 matrix products": torch.get_float32_matmul_precision,
    "TF32 in matrix products": lambda: torch.backends.cuda.matmul.allow_tf32,
    "TF32 in cuDNN": lambda: torch.backends.cudnn.allow_tf32,
    "cuDNN benchmarking": lambda: torch.backends.cudnn.benchmark,
    "reduced precision of float16 sums": lambda: torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction,
    "flushing of subnormal numbers": lambda: bool(torch.tensor([1e-40]).mul(1.0).item()),
    "number of threads": torch.get_num_threads,
    "seed of torch": torch.initial_seed,
    "autocasting": torch.is_autocast_enabled,
    "modes that see every operator": _modes,
    "garbage collection": gc.isenabled,
    "what garbage collection calls": lambda: tuple(_named(one) for one in gc.callbacks if not _of_a_package(one)),
    "what signals call": lambda: tuple(f"{one.name} {_named(call)}" for one, call in _handlers()),
    "timers": lambda: tuple(
        bool(signal.getitimer(one)[0]) for one in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    ),
    "tracing": lambda: (sys.gettrace(), sys.getprofile()),
    "recursion limit": sys.getrecursionlimit,
    "streams of Python": lambda: (id(sys.stdout), id(sys.stderr), id(sys.stdin), id(builtins.print)),
    "state of random": lambda: hash(random.getstate()),
}


def settings() -> dict[str, Any]:
    """Every setting of the process that changes what is computed, or how it is watched."""
    return {name: read() for name, read in SETTINGS.items()}
