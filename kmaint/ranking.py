"""Which kernels are worth a look first: by their share of a trace where there is one, else by named static signals."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kmaint.layout import use_of
from kmaint.records.kernel import Kernel, Scan

MOST_CALLERS = 8
"""Callers beyond these add nothing to a kernel's points."""

AUTOTUNED = ("autotune", "heuristics")


@dataclass(frozen=True, kw_only=True)
class Signal:
    """Something static that makes a launched kernel worth a look, and how much it counts."""

    key: str
    points: int
    meaning: str


CALLED = Signal(key="called", points=1, meaning=f"one for each function that calls a launcher, at most {MOST_CALLERS}")
REGISTERED = Signal(key="registered", points=1, meaning="a registry of the framework names it or its launcher")
NO_TEST = Signal(key="no test", points=3, meaning="no test of the framework reaches it")
NO_CONFIG = Signal(key="no tuned config", points=2, meaning="its tuning tables lack a common device")
FIXED = Signal(key="fixed launch", points=1, meaning="neither autotuned nor tuned by tables")
NO_BENCHMARK = Signal(key="no benchmark", points=1, meaning="no benchmark of the framework reaches it")

SIGNALS = (CALLED, REGISTERED, NO_TEST, NO_CONFIG, FIXED, NO_BENCHMARK)
"""All of them, as the help names them."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which kernels to keep: empty keeps all. `text` is looked for in ids, `top` counts from the best rank down."""

    languages: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    text: str = ""
    top: int | None = None


def callers_of(kernel: Kernel) -> list[str]:
    """The functions of what serves that call a launcher of the kernel: tests and benchmarks are kept apart."""
    callers = dict.fromkeys(caller for host in kernel.launchers for caller in host.callers)
    return [caller for caller in callers if not use_of(caller.partition("::")[0])]


def signals_of(kernel: Kernel, scan: Scan) -> tuple[Signal, ...]:
    """What speaks for a look at a launched kernel; what the tree cannot know is no signal."""
    if kernel.role != "kernel" or use_of(kernel.path):
        return ()
    autotuned = any(word in decorator for decorator in kernel.decorators for word in AUTOTUNED)
    holds = (
        (CALLED, bool(callers_of(kernel))),
        (REGISTERED, bool(kernel.registrations)),
        (NO_TEST, not kernel.tests and "tests" not in scan.unknown),
        (NO_CONFIG, kernel.tables is not None and bool(kernel.tables.missing)),
        (FIXED, kernel.language in ("triton", "gluon") and not autotuned and kernel.tables is None),
        (NO_BENCHMARK, not kernel.benchmarks and "benchmarks" not in scan.unknown),
    )
    return tuple(signal for signal, true in holds if true)


def points_of(kernel: Kernel, scan: Scan) -> int:
    """The sum of the signals' points."""
    return sum(
        min(len(callers_of(kernel)), MOST_CALLERS) if signal is CALLED else signal.points
        for signal in signals_of(kernel, scan)
    )


def ranked(scan: Scan) -> list[Kernel]:
    """Kernels, hottest first; those of equal heat (all, without a trace) by points; what is not launched last."""
    return sorted(scan.kernels, key=lambda kernel: _place(kernel, scan))


def _place(kernel: Kernel, scan: Scan) -> tuple[float, bool, int, str]:
    share = kernel.heat.share if kernel.heat else 0.0
    return -share, kernel.role != "kernel" or use_of(kernel.path) is not None, -points_of(kernel, scan), kernel.id


def select(scan: Scan, selection: Selection) -> Scan:
    """The scan with the chosen kernels only, in the order they had."""
    kept = [kernel for kernel in scan.kernels if _wanted(kernel, selection)]
    if selection.top is not None:
        best = {kernel.id for kernel in ranked(replace(scan, kernels=tuple(kept)))[: selection.top]}
        kept = [kernel for kernel in kept if kernel.id in best]
    return replace(scan, kernels=tuple(kept))


def _wanted(kernel: Kernel, selection: Selection) -> bool:
    return (
        (not selection.languages or kernel.language in selection.languages)
        and (not selection.roles or kernel.role in selection.roles)
        and selection.text.lower() in kernel.id.lower()
    )
