"""Intervals of paired samples: the same machine scaled, the legs swapped, and a bootstrap written out at length."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmaint import intervals

MICROSECONDS = st.floats(1.0, 1000.0)
BLOCKS = st.lists(st.tuples(MICROSECONDS, MICROSECONDS), min_size=1, max_size=12)
few = settings(max_examples=25, deadline=None)


@few
@given(BLOCKS)
def test_the_interval_holds_the_median_and_is_seeded(blocks: list[tuple[float, float]]) -> None:
    original, candidate = [a for a, _ in blocks], [b for _, b in blocks]
    found = intervals.interval(original, candidate)
    assert found.low <= found.ratio <= found.high
    assert found == intervals.interval(original, candidate)


@few
@given(BLOCKS, st.floats(0.1, 10.0))
def test_a_slower_machine_changes_nothing(blocks: list[tuple[float, float]], factor: float) -> None:
    original, candidate = [a for a, _ in blocks], [b for _, b in blocks]
    slow = intervals.interval([a * factor for a in original], [b * factor for b in candidate])
    assert slow.ratio == pytest.approx(intervals.interval(original, candidate).ratio)


@few
@given(BLOCKS)
def test_swapping_the_legs_turns_the_mean_over(blocks: list[tuple[float, float]]) -> None:
    odd = blocks if len(blocks) % 2 else blocks[1:]  # the median of an even number of ratios is a mean, not a ratio
    if odd:
        ahead = intervals.geometric_mean([(1.0, [a / b for a, b in odd])]).ratio
        behind = intervals.geometric_mean([(1.0, [b / a for a, b in odd])]).ratio
        assert ahead * behind == pytest.approx(1.0)


@few
@given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=4), st.floats(0.1, 5.0))
def test_the_mean_is_weighted_and_a_common_weight_cancels(ratios: list[float], weight: float) -> None:
    found = intervals.geometric_mean([(weight, [ratio]) for ratio in ratios])
    assert found.ratio == pytest.approx(math.prod(ratios) ** (1 / len(ratios)))
    assert found.low == pytest.approx(found.ratio)
    assert found.high == pytest.approx(found.ratio)


def test_a_heavy_workload_counts_for_more() -> None:
    assert intervals.geometric_mean([(3.0, [2.0]), (1.0, [1.0])]).ratio == pytest.approx(2.0**0.75)


@few
@given(BLOCKS, st.integers(0, 3))
def test_the_interval_is_that_of_a_bootstrap_of_medians(blocks: list[tuple[float, float]], seed: int) -> None:
    draw, ratios = random.Random(seed), sorted(a / b for a, b in blocks)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(intervals.RESAMPLES))
    found = intervals.interval([a for a, _ in blocks], [b for _, b in blocks], seed=seed)
    assert found.low == pytest.approx(statistics.quantiles(medians, n=40, method="inclusive")[0])
    assert found.high == pytest.approx(statistics.quantiles(medians, n=40, method="inclusive")[-1])
