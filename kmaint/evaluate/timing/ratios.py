"""What raw samples say of a ratio: pure arithmetic, so that a reader can check it and a property test does."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from kmaint.intervals import geometric_mean, interval
from kmaint.records.timing import Interval, Timing, Trace, WorkloadTiming
from kmaint.roofline import BEYOND

SMALLEST_GAIN = 0.01
"""No gain below 1 % counts, however quiet the machine."""
WORST_RATIO = 0.98
"""No workload may lose more than 2 %."""
GAP_US = 1.5
"""Between two kernels of a graph an H200 takes about 1 us; short ones run as much longer where each is recorded."""
TRACE_SHARE = 0.1
"""A traced replay is one, not a median."""
COLD_SHARE = 0.3
"""It follows another with no flush between them, so it finds in the L2 what a timed one fetches, and has nothing of the
flush to write back: on an H200 calls that read 268 MB took 14 % longer than their record, and faster ones 19 %. Where
all of a call's traffic fits into the L2, its record may lack what memory takes for it: of 31 MB in 14.7 us, 4.5."""
NEAR = 0.05
"""Of a call's time: so near the edge of what its record allows, a copy of it is beyond in one round and not in another.
So it was of a call that took 4.25 us and had 2.1 on record, 3 times of 17 (benchmarks/results/
2026-12-03-h200-timing.json)."""
L2_US = 15.0
"""As long as memory takes for what an L2 holds: 60 MB at 4.2 TB/s."""


def combine(workloads: Sequence[WorkloadTiming], *, seed: int = 0) -> Timing:
    """All workloads of one comparison; the noise floor is how far the A/A intervals stray from 1, weighted alike."""
    ratios = [(w.weight, [a / b for a, b in zip(w.original_us, w.candidate_us, strict=True)]) for w in workloads]
    total = sum(w.weight for w in workloads)
    stray = sum(w.weight * max(w.noise.high - 1.0, 1.0 - w.noise.low, 0.0) for w in workloads) / total
    return Timing(
        workloads=tuple(workloads), speedup=geometric_mean(ratios, seed=seed), noise_floor=max(stray, SMALLEST_GAIN)
    )


def is_win(timing: Timing) -> bool:
    """Whether the mean's lower bound clears the noise floor, no workload loses more than 2 %, and the host kept up."""
    return not shortfall(timing)


def shortfall(timing: Timing) -> str:
    """Why it is no win; empty where it is one."""
    floor = max(timing.noise_floor, SMALLEST_GAIN)
    if late := [workload for workload in timing.workloads if workload.late]:
        return f"the device waited for its host in {late[0].late} blocks of {late[0].workload}"
    if timing.speedup.low <= 1.0 + floor:
        return f"no gain beyond the noise floor of {floor:.1%}"
    losing = [workload for workload in timing.workloads if workload.speedup.ratio < WORST_RATIO]
    if not losing:
        return ""
    worst = min(losing, key=lambda workload: workload.speedup.ratio)
    return f"{worst.workload} loses: {worst.speedup.ratio:.2f}x"


def is_unclear(timing: Timing) -> bool:
    """Whether it may be a win all the same: what keeps it from one lies within what its clock is unsure of."""
    losing = [workload for workload in timing.workloads if workload.speedup.ratio < WORST_RATIO]
    if is_win(timing) or is_loss(timing) or any(workload.speedup.high < WORST_RATIO for workload in losing):
        return False
    hidden = timing.speedup.high > 1.0 + SMALLEST_GAIN and timing.noise_floor > SMALLEST_GAIN
    return bool(losing) or hidden or any(workload.late for workload in timing.workloads)


def is_loss(timing: Timing) -> bool:
    """Whether the upper bound of the mean lies as far below 1 as a win's lower bound has to lie above it."""
    return timing.speedup.high < 1.0 / (1.0 + max(timing.noise_floor, SMALLEST_GAIN))


def settled(original_us: Sequence[float], candidate_us: Sequence[float], noise: Interval) -> bool:
    """Whether more blocks of this workload would change nothing: no line that matters is near the interval.

    The lines are 2 % of loss, and from the smallest gain that counts to the noise floor, on either side. The interval
    is stretched by half, since it is looked at more than once.
    """
    found = interval(original_us, candidate_us)
    low = found.ratio - 1.5 * (found.ratio - found.low)
    high = found.ratio + 1.5 * (found.high - found.ratio)
    floor = max(noise.high - 1.0, 1.0 - noise.low, SMALLEST_GAIN)
    lines = ((1.0 / (1.0 + floor), 1.0 - SMALLEST_GAIN), (1.0 + SMALLEST_GAIN, 1.0 + floor), (WORST_RATIO, WORST_RATIO))
    return not any(low <= end and start <= high for start, end in lines)


def trace_agrees(
    claimed_us: float, trace: Trace, *, captured: bool, floor_us: float | None = None, clearly: bool = False
) -> bool:
    """Whether a call's time by events fits the device's own records.

    Not less than the device was busy, and in a captured graph not more than that, the gaps between its launches, and
    what a warm cache spares the record: `floor_us`, the least time that memory allows for the call, may be all of it,
    as far as an L2 can hold that. `clearly` where it also has to be away from the edge.
    """
    gaps_us = GAP_US * trace.launches - (NEAR * claimed_us if clearly else 0.0)
    less = trace.busy_us <= claimed_us + gaps_us + TRACE_SHARE * claimed_us
    spared_us = max(COLD_SHARE * trace.busy_us, min(floor_us or 0.0, L2_US))
    return less and (not captured or claimed_us <= trace.busy_us + gaps_us + spared_us)


def below_floor(timing: WorkloadTiming) -> bool:
    """Whether the candidate is faster than the memory allows: then the measurement is wrong, not the kernel fast.

    Where the original is below the floor too, it is the contract's traffic that is wrong, and says nothing.
    """
    if timing.floor_us is None:
        return False
    least_us = timing.floor_us / BEYOND
    return statistics.median(timing.candidate_us) < least_us <= statistics.median(timing.original_us)
