"""What the device itself says that it ran: CUPTI's kernel records of one replay, through torch's profiler.

Through the profiler of torch.autograd, that is: torch.profiler asks torch's compiler how it is set, whose import takes
seconds in each process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd import DeviceType
from torch.autograd.profiler import profile

if TYPE_CHECKING:
    from .replay import Inputs, Leg

NAMES = 12
NAME_LENGTH = 120

Record = tuple[float, float, int, str]
"""Start and end in microseconds, stream, name."""


def warm_up() -> bool:
    """CUPTI is loaded before anything is captured or timed, so that no leg runs without it and another with it.

    Whether it recorded anything.
    """
    with contextlib.suppress(RuntimeError):
        with _profiled() as profiler:
            torch.zeros(1, device="cuda")
            torch.cuda.synchronize()
        return any(event.device_type == DeviceType.CUDA for event in profiler.function_events)
    return False


def trace(leg: Leg, inputs: Inputs) -> dict[str, Any] | None:
    """The fields of a records.Trace for one run of the leg; None where nothing was recorded."""
    inputs.restore()
    leg.run()
    inputs.restore()
    torch.cuda.synchronize()
    events = []
    with contextlib.suppress(RuntimeError):  # where the profiler does not start; a broken device says so again later
        with _profiled() as profiler:
            leg.run()
            torch.cuda.synchronize()
        events = [event for event in profiler.function_events if event.device_type == DeviceType.CUDA]
    records = [(e.time_range.start, e.time_range.end, e.device_resource_id, e.name) for e in events]
    return summary(records, leg.calls) if records else None


def _profiled() -> Any:
    return profile(use_cpu=False, use_device="cuda", use_kineto=True)


def summary(records: Sequence[Record], calls: int) -> dict[str, Any]:
    """A call's share of the time in which at least one record was running, and what the records were."""
    names = dict.fromkeys(name[:NAME_LENGTH] for *_, name in records)
    return {
        "busy_us": busy_us(records) / calls,
        "launches": len(records) / calls,
        "streams": len({stream for _, _, stream, _ in records}),
        "kernels": list(names)[:NAMES],
    }


def busy_us(records: Sequence[Record]) -> float:
    """Length of the union: what overlaps counts once."""
    total, reached = 0.0, float("-inf")
    for start, end, *_ in sorted(records):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
