"""The closed forms against the mean over every way to draw k."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.learning.estimators import best_of_k, geometric_mean, pass_at_k, share_above

VALUES = st.lists(st.floats(min_value=0.1, max_value=50.0), min_size=1, max_size=8)


@st.composite
def drawn(draw: st.DrawFn) -> tuple[list[float], int]:
    values = draw(VALUES)
    return values, draw(st.integers(min_value=1, max_value=len(values)))


@given(drawn())
def test_best_of_k_is_the_mean_over_every_draw(case: tuple[list[float], int]) -> None:
    values, k = case
    brute = statistics.fmean(max(chosen) for chosen in itertools.combinations(values, k))
    assert math.isclose(best_of_k(values, k), brute, rel_tol=1e-9)


@given(st.lists(st.booleans(), min_size=1, max_size=9), st.data())
def test_pass_at_k_is_the_share_of_draws_that_hold_one(passed: list[bool], data: st.DataObject) -> None:
    k = data.draw(st.integers(min_value=1, max_value=len(passed)))
    brute = statistics.fmean(any(chosen) for chosen in itertools.combinations(passed, k))
    assert math.isclose(pass_at_k(len(passed), sum(passed), k), brute, abs_tol=1e-12)


@given(drawn(), st.randoms())
def test_the_order_of_attempts_does_not_matter(case: tuple[list[float], int], chance: object) -> None:
    values, k = case
    mixed = list(values)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert best_of_k(mixed, k) == best_of_k(values, k)


@given(VALUES)
def test_one_is_the_mean_all_the_maximum_and_more_is_never_worse(values: list[float]) -> None:
    means = [best_of_k(values, k) for k in range(1, len(values) + 1)]
    assert math.isclose(means[0], statistics.fmean(values))
    assert math.isclose(means[-1], max(values))
    assert all(more >= less * (1 - 1e-12) for less, more in itertools.pairwise(means))


@given(VALUES, st.floats(min_value=0.1, max_value=50.0))
def test_the_share_above_falls_with_the_threshold(values: list[float], threshold: float) -> None:
    assert share_above(values, threshold) == sum(value > threshold for value in values) / len(values)
    assert share_above(values, threshold) >= share_above(values, threshold + 1.0)


@given(VALUES)
def test_the_geometric_mean_lies_between_and_inverts(values: list[float]) -> None:
    mean = geometric_mean(values)
    assert min(values) * (1 - 1e-9) <= mean <= max(values) * (1 + 1e-9)
    assert math.isclose(geometric_mean([1 / value for value in values]), 1 / mean, rel_tol=1e-9)


def test_a_thousand_attempts_do_not_overflow() -> None:
    assert pass_at_k(5000, 1, 2500) == 0.5
    assert math.isclose(best_of_k([1.0] * 4999 + [2.0], 2500), 1.5)


@pytest.mark.parametrize("k", [0, 4])
def test_more_than_there_are_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match=f"k must be from 1 to the 3 attempts, not {k}"):
        best_of_k([1.0, 1.0, 2.0], k)
    with pytest.raises(ValueError, match=f"k must be from 1 to the 3 attempts, not {k}"):
        pass_at_k(3, 1, k)


def test_nothing_has_neither_share_nor_mean() -> None:
    with pytest.raises(ValueError, match="no share of nothing"):
        share_above([], 1.0)
    with pytest.raises(ValueError, match="no mean of nothing"):
        geometric_mean([])
