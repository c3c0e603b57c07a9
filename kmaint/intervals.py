"""Ratios of paired samples with their 95 % intervals: pure arithmetic, the same for kernels and for whole engines."""

from __future__ import annotations

import functools
import math
import random
import statistics
from collections.abc import Sequence
from typing import Any

from kmaint.records.timing import Interval

RESAMPLES = 2000


def are_times(given: Any) -> bool:
    """Whether it is a list of finite numbers above 0: what a process that runs a candidate gives may be anything."""
    return isinstance(given, list) and all(isinstance(one, float) and math.isfinite(one) and one > 0 for one in given)


def interval(original: Sequence[float], candidate: Sequence[float], *, seed: int = 0) -> Interval:
    """Median of the pairs' ratios with the 95 % percentile bootstrap over pairs: sample i of both is one pair."""
    ratios = [a / b for a, b in zip(original, candidate, strict=True)]
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
