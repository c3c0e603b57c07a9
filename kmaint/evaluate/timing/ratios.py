"""What raw samples say of a ratio: pure arithmetic, so that a reader can check it and a property test does."""

from __future__ import annotations

import functools
import math
import random
import statistics
from collections.abc import Sequence

from kmaint.records.evaluation import Interval, Timing, Trace, WorkloadTiming

RESAMPLES = 2000
SMALLEST_GAIN = 0.01
"""No gain below 1 % counts, however quiet the machine."""
WORST_RATIO = 0.98
"""No workload may lose more than 2 %."""
GAP_US = 1.5
"""Between two kernels of a graph an H200 takes about 1 us; short ones run as much longer where each is recorded."""
TRACE_SHARE = 0.1
"""A traced replay is one, not a median, and follows another with no flush between them."""


def interval(original_us: Sequence[float], candidate_us: Sequence[float], *, seed: int = 0) -> Interval:
    """Median of the blocks' ratios with the 95 % percentile bootstrap over blocks. Sample i of both is one block."""
    ratios = [a / b for a, b in zip(original_us, candidate_us, strict=True)]
    medians = sorted(_resampled(ratios, seed))
    return Interval(ratio=statistics.median(ratios), low=_quantile(medians, 0.025), high=_quantile(medians, 0.975))


def _resampled(ratios: Sequence[float], seed: int) -> list[float]:
    ascending = sorted(ratios)
    return [(ascending[low] + ascending[high]) / 2.0 for low, high in _middles(len(ratios), seed)]


@functools.lru_cache(maxsize=64)
def _middles(blocks: int, seed: int) -> tuple[tuple[int, int], ...]:
    """The ranks of the two middle blocks in each resample: they depend on the number of blocks alone."""
    draw = random.Random(seed)  # noqa: S311 - seeded so that equal samples give equal intervals
    drawn = (sorted(draw.choices(range(blocks), k=blocks)) for _ in range(RESAMPLES))
    return tuple((one[(blocks - 1) // 2], one[blocks // 2]) for one in drawn)


def _quantile(ascending: Sequence[float], q: float) -> float:
    """Linear between neighbours."""
    at = q * (len(ascending) - 1)
    below = math.floor(at)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (ascending[above] - ascending[below]) * (at - below)


def geometric_mean(workloads: Sequence[tuple[float, Sequence[float]]], *, seed: int = 0) -> Interval:
    """Weighted geometric mean of the workloads' median ratios; each pair is a weight and the ratios of its blocks.

    The interval resamples the blocks of every workload independently.
    """
    total = sum(weight for weight, _ in workloads)
    draws = [_resampled(ratios, seed + n) for n, (_, ratios) in enumerate(workloads)]
    shares = [weight / total for weight, _ in workloads]
    means = sorted(
        math.exp(sum(share * math.log(ratio) for share, ratio in zip(shares, drawn, strict=True)))
        for drawn in zip(*draws, strict=True)
    )
    middle = math.exp(
        sum(share * math.log(statistics.median(r)) for share, (_, r) in zip(shares, workloads, strict=True))
    )
    return Interval(ratio=middle, low=_quantile(means, 0.025), high=_quantile(means, 0.975))


def combine(workloads: Sequence[WorkloadTiming], *, seed: int = 0) -> Timing:
    """All workloads of one comparison; the noise floor is how far the A/A intervals stray from 1, weighted alike."""
    ratios = [(w.weight, [a / b for a, b in zip(w.original_us, w.candidate_us, strict=True)]) for w in workloads]
    total = sum(w.weight for w in workloads)
    stray = sum(w.weight * max(w.noise.high - 1.0, 1.0 - w.noise.low, 0.0) for w in workloads) / total
    return Timing(
        workloads=tuple(workloads), speedup=geometric_mean(ratios, seed=seed), noise_floor=max(stray, SMALLEST_GAIN)
    )


def is_win(timing: Timing) -> bool:
    """Whether the lower bound of the mean clears the noise floor and no workload loses more than 2 %."""
    clears = timing.speedup.low > 1.0 + max(timing.noise_floor, SMALLEST_GAIN)
    return clears and all(workload.speedup.ratio >= WORST_RATIO for workload in timing.workloads)


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


def trace_agrees(claimed_us: float, trace: Trace, *, captured: bool) -> bool:
    """Whether a call's time by events fits the device's own records.

    Not less than the device was busy, and in a captured graph not more than that and the gaps between its launches.
    """
    slack_us = GAP_US * trace.launches + TRACE_SHARE * claimed_us
    return trace.busy_us <= claimed_us + slack_us and (not captured or claimed_us <= trace.busy_us + slack_us)


def below_floor(timing: WorkloadTiming) -> bool:
    """Whether the candidate is faster than the memory allows: then the measurement is wrong, not the kernel fast.

    Where the original is below the floor too, it is the contract's traffic that is wrong, and says nothing.
    """
    if timing.floor_us is None:
        return False
    least_us = 0.95 * timing.floor_us
    return statistics.median(timing.candidate_us) < least_us <= statistics.median(timing.original_us)
