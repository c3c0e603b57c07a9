"""The two legs of a comparison, timed through one code path: captured CUDA graphs over rotating buffers.

A clock times a sequence of legs and gives microseconds a call for each. `DeviceClock` is the one that counts;
`WallClock` reads the host's: for what a call costs with its launch, and for a dry run without a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

import torch
from torch.cuda import CUDAGraph, Event, Stream

from .calls import building, cases, synchronize

ROTATED_BYTES = 256 << 20
"""Or three times the L2, where that is more; less where memory or the limit below does not allow it."""
MOST_CALLS = 256
"""Calls in one graph: small workloads stay in the L2 for that reason, as they do in serving."""
SHORTEST_REPLAY_US = 200.0
LONGEST_REPLAY_US = 4000.0
FLUSHES = 2
"""At first. Some 130 us on an H200: longer than a quick host takes to queue a replay."""
MOST_FLUSHES = 32
"""Some 2 ms: a replay that takes longer to queue is the host's own, however long the device is kept busy."""

Entry = Callable[..., Any]


@dataclass
class Inputs:
    """Argument sets in rotation; `refill` puts new contents at the same addresses."""

    contract: Any
    case: Any
    device: str
    calls: list[Any]
    pristine: list[dict[str, torch.Tensor]] = field(default_factory=list)
    """Copies of what the original overwrites, by argument; empty dictionaries where it overwrites nothing."""

    @staticmethod
    def rotating(contract: Any, case: Any, device: str, *, most: int = MOST_CALLS) -> Inputs:
        first = building.build(contract, case, device)
        size = sum(buffer.raw.numel() for buffer in first.buffers.values())
        count = max(1, min(most, math.ceil(_rotated_bytes(device) / max(1, size))))
        more = [building.build(contract, nth(case, case.seed, n), device) for n in range(1, count)]
        return Inputs(contract, case, device, [first, *more])

    @property
    def in_place(self) -> bool:
        return any(self.pristine)

    def remember(self, mutated: set[str]) -> None:
        self.pristine = [{name: call.buffers[name].raw.clone() for name in mutated} for call in self.calls]

    def keep(self, sets: int) -> None:
        """So many of the argument sets."""
        self.calls, self.pristine = self.calls[:sets], self.pristine[:sets]

    def restore(self) -> None:
        pairs = zip(self.calls, self.pristine, strict=False)
        copies = [(call.buffers[name].raw, raw) for call, kept in pairs for name, raw in kept.items()]
        if copies:  # in one launch: hundreds of small ones keep the host busy for longer than the device
            torch._foreach_copy_(*map(list, zip(*copies, strict=True)))

    def refill(self, seed: int) -> None:
        """New data where the old stood: what was computed from the old is wrong from here on."""
        for n, call in enumerate(self.calls):
            fresh = building.build(self.contract, nth(self.case, seed, n), self.device)
            for name, buffer in call.buffers.items():
                buffer.raw.copy_(fresh.buffers[name].raw)
        if self.pristine:
            self.remember(set(self.pristine[0]))


def nth(case: Any, seed: int, n: int) -> Any:
    """The case whose contents stand in the n-th argument set after a refill with the seed, in whatever process."""
    return cases.Case(seed=(seed + n) % (1 << 31), values=case.values, layout=case.layout, **case.axes)


def _rotated_bytes(device: str) -> int:
    if device != "cuda":
        return 1
    l2 = getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 0)
    free, _total = torch.cuda.mem_get_info()
    return int(min(max(3 * l2, ROTATED_BYTES), free // 8))  # inputs, two legs' outputs, and room


def mutated_by(entry: Entry, calls: Sequence[Any]) -> set[str]:
    """Names of the arguments whose bytes any of the calls changes: one on padding alone may leave all as it is.

    What was changed is put back.
    """
    told: dict[str, list[torch.Tensor]] = {}
    for call in calls:
        before = {name: buffer.raw.clone() for name, buffer in call.buffers.items()}
        entry(**call.arguments)
        for name, raw in before.items():
            told.setdefault(name, []).append((raw != call.buffers[name].raw).any())
            call.buffers[name].raw.copy_(raw)
    # Asked once for all: beside others every answer of a device has to wait for their turns on it.
    return {name for name, changed in told.items() if bool(torch.stack(changed).any())}


class Leg(Protocol):
    """One side of a comparison: `calls` calls each time it runs. `returned` holds what each of them gave back.

    `at_once`: all of a run is one order to the device, which can have it before it comes to it.
    """

    calls: int
    returned: list[Any]
    at_once: bool

    def run(self) -> None: ...


class EagerLeg:
    """Calls the entry point over the argument sets, as a framework would."""

    at_once = False

    def __init__(self, entry: Entry, inputs: Inputs, repeats: int) -> None:
        self._entry, self._sets = entry, inputs.calls * repeats
        self.calls = len(self._sets)
        self.returned: list[Any] = []

    def run(self) -> None:
        self.returned = [self._entry(**call.arguments) for call in self._sets]


class GraphLeg:
    """The same calls captured once. Each keeps its own output, so that none is written over while it is in the L2."""

    at_once = True

    def __init__(self, entry: Entry, inputs: Inputs, repeats: int) -> None:
        sets = inputs.calls * repeats
        self.calls = len(sets)
        side = Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # compiles and tunes outside the capture
            entry(**sets[0].arguments)
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        self._graph = CUDAGraph()
        with torch.cuda.graph(self._graph):
            self.returned = [entry(**call.arguments) for call in sets]
        self._graph.replay()
        torch.cuda.synchronize()

    def run(self) -> None:
        self._graph.replay()


class IdleLeg:
    """Does nothing as often as the leg does something: what a run costs beside the leg itself."""

    at_once = False

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self.returned: list[Any] = []

    def run(self) -> None:
        return


class Clock(Protocol):
    """Times legs one after the other; microseconds a call, in that order.

    `late`: in the last sequence the device came to a leg before the host had queued it, and waited within its time.
    """

    late: bool

    def __call__(self, legs: Sequence[Leg]) -> list[float]: ...

    def wait_longer(self) -> None:
        """Give the host twice as long to queue each leg from now on, where that can be had."""

    def another(self) -> Clock:
        """For other legs, which need not be waited for as long as these."""


class DeviceClock:
    """CUDA events around each leg. The flush before it empties the L2 and keeps the device busy until all is queued.

    Where that was too short a leg is late, mostly the first of a sequence, which follows an idle device: on one H200
    the halves of all 48 A/A blocks of calls of 2.15 us lay 15 % and more apart (2026-12-02-h200-recheck).
    """

    def __init__(self, flushed: torch.Tensor | None = None) -> None:
        self._flushed = torch.empty(ROTATED_BYTES, dtype=torch.uint8, device="cuda") if flushed is None else flushed
        self._flushes, self.late = FLUSHES, False

    def another(self) -> DeviceClock:
        """With the same memory."""
        return DeviceClock(self._flushed)

    def __call__(self, legs: Sequence[Leg]) -> list[float]:
        marks, self.late = [], False
        for leg in legs:
            for _ in range(self._flushes):
                self._flushed.zero_()
            start, end = Event(enable_timing=True), Event(enable_timing=True)
            start.record()
            leg.run()
            self.late |= leg.at_once and start.query()
            end.record()
            marks.append((start, end, leg.calls))
        torch.cuda.synchronize()
        return [start.elapsed_time(end) * 1000.0 / calls for start, end, calls in marks]

    def wait_longer(self) -> None:
        self._flushes = min(2 * self._flushes, MOST_FLUSHES)


class WallClock:
    """The host's clock, from the first call to the end of the last one's work."""

    late = False
    """It is the host that is timed."""

    def __init__(self, device: str) -> None:
        self._device = device

    def __call__(self, legs: Sequence[Leg]) -> list[float]:
        found = []
        for leg in legs:
            synchronize(self._device)
            start = perf_counter()
            leg.run()
            synchronize(self._device)
            found.append((perf_counter() - start) * 1e6 / leg.calls)
        return found

    def wait_longer(self) -> None:
        """Nobody waits for a device here."""

    def another(self) -> WallClock:
        return WallClock(self._device)


def repeats_for(per_call_us: float, sets: int) -> int:
    """How often to go round the argument sets so that one replay outlasts the clock's grain."""
    wanted = math.ceil(SHORTEST_REPLAY_US / max(per_call_us, 0.05))
    return max(1, min(math.ceil(wanted / sets), 4 * MOST_CALLS // sets or 1))


def sets_for(per_call_us: float, sets: int) -> int:
    """How many argument sets to keep so that one replay does not outlast LONGEST_REPLAY_US; at least one."""
    return max(1, min(sets, int(LONGEST_REPLAY_US / max(per_call_us, 0.05))))
