"""Makes the call of a case, in one of several ways, and keeps everything that it did.

Copied unchanged into every harness.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from . import building
from .building import GUARD_BYTE, Buffer, Call, build
from .cases import Case, Contract
from .outcomes import Outcome, argument_leaves, lazy, returned_leaves


def perform(entry: Callable[..., Any], contract: Contract, case: Case, device: str, *, how: str = "direct") -> Outcome:
    """Make the call with every fresh allocation filled with NaN (or the largest integer), and keep what it did.

    `how` is "direct", "stream" (on a stream that is not the default one), "graph" (captured once, replayed once) or
    "again" (called once more, on other values of the same shape, before the results of the first call are read).
    """
    call = build(contract, case, device)
    given = {name: buffer.raw.clone() for name, buffer in call.buffers.items()}
    allocations, way, findings = Allocations(), WAYS[how], list[tuple[str, str]]()
    with filled(findings), counted() as launches:
        try:
            if how == "graph":  # compile outside the capture, on arguments of its own
                entry(**build(contract, case, device).arguments)
            with allocations:
                returned = way(entry, call)
            if how == "again":
                _direct(entry, build(contract, case.but(seed=case.seed + 1), device))
        except raised() as error:
            return Outcome([], error_of(error), findings=findings)
    if why := lazy(returned):
        findings.append(("lazy_output", f"returns {why}"))
    # On a stream of its own: reading on the default one would wait for what the callee left there.
    with torch.cuda.stream(torch.cuda.Stream()) if how == "stream" else contextlib.nullcontext():
        leaves = [*returned_leaves("return", returned, call), *argument_leaves(contract, call, given)]
    return Outcome(leaves, overrun=allocations.overrun(), findings=findings, launches=len(launches))


def error_of(error: BaseException) -> str:
    """Its type and the first line of its text."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


@contextlib.contextmanager
def filled(findings: list[tuple[str, str]]) -> Iterator[None]:
    """torch fills what torch.empty returns: an element nobody writes shows as NaN. Says where a call undid that."""
    before = torch.are_deterministic_algorithms_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fill_new_memory(True)
        try:
            yield
        finally:
            if not (
                torch.are_deterministic_algorithms_enabled() and torch.utils.deterministic.fill_uninitialized_memory
            ):
                findings.append(("tampered", "turns off the filling of new memory"))
            fill_new_memory(before)


def fill_new_memory(on: bool) -> None:
    """As torch.use_deterministic_algorithms does with warn_only, but without importing torch's compiler for it."""
    torch._C._set_deterministic_algorithms(on, warn_only=on)  # noqa: SLF001 - the import takes seconds a process


@contextlib.contextmanager
def counted() -> Iterator[list[str]]:
    """The names of the Triton kernels that are launched inside."""
    launched: list[str] = []
    hooks = []
    for holder, method in _launchers():
        original = getattr(holder, method)
        hooks.append((holder, method, original))
        setattr(holder, method, _noting(original, launched))
    try:
        yield launched
    finally:
        for holder, method, original in hooks:
            setattr(holder, method, original)


def _launchers() -> Iterator[tuple[Any, str]]:
    """What runs a kernel: triton's compiled functions, and its interpreter. Nothing where triton was not imported."""
    jit, interpreter = sys.modules.get("triton.runtime.jit"), sys.modules.get("triton.runtime.interpreter")
    if jit is not None:
        yield jit.JITFunction, "run"
    if interpreter is not None:
        yield interpreter.GridExecutor, "__call__"


def _noting(original: Callable[..., Any], launched: list[str]) -> Callable[..., Any]:
    def noted(self: Any, *args: Any, **options: Any) -> Any:
        launched.append(getattr(getattr(self, "fn", None), "__name__", "kernel"))
        return original(self, *args, **options)

    return noted


FRESH = ("empty", "zeros", "ones", "full")
"""What makes a fresh tensor in torch.ops.aten; each also as NAME_like, new_NAME, and empty_strided."""


class Allocations(TorchDispatchMode):  # type: ignore[misc]  # torch is not read by mypy
    """Gives every fresh tensor of the callee red zones too: an unmasked store mostly runs past the end of an output."""

    def __init__(self) -> None:
        super().__init__()
        self.buffers: list[Buffer] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Not wrapped by torch's compiler, whose import takes seconds a process."""
        return False

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        fresh = func(*args, **(kwargs or {}))
        if not _is_fresh(func.overloadpacket.__name__) or not fresh.numel() or fresh.layout is not torch.strided:
            return fresh
        span = 1 + sum((n - 1) * s for n, s in zip(fresh.shape, fresh.stride(), strict=True))
        size = span * fresh.element_size() + 2 * building.GUARD
        raw = torch.full((size,), GUARD_BYTE, dtype=torch.uint8, device=fresh.device)
        view = raw[building.GUARD : size - building.GUARD].view(fresh.dtype).as_strided(fresh.shape, fresh.stride())
        view.copy_(fresh)
        self.buffers.append(Buffer(f"allocation {len(self.buffers)}", raw, view, building.GUARD))
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


def _is_fresh(name: str) -> bool:
    return name.removeprefix("new_").removesuffix("_like").removesuffix("_strided") in FRESH
