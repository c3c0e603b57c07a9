"""The median's interval against the binomial it rests on, and how numbers are written."""

import random

import pytest

from kmaint.records.timing import Interval
from reports.numbers import interval, median_of, microseconds, percent, ratio, scientific


@pytest.mark.parametrize(
    ("count", "rank"),
    # Ranks of the two-sided 95 % sign interval, as tables of the binomial have them.
    [(6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (25, 8), (100, 40)],
)
def test_the_interval_is_the_tabled_one(count: int, rank: int) -> None:
    found = median_of([float(value) for value in range(1, count + 1)])
    assert (found.low_us, found.high_us) == (rank, count + 1 - rank)


def test_it_covers_the_true_median_as_often_as_it_says() -> None:
    source = random.Random(7)
    hits = 0
    for _ in range(1000):
        found = median_of([source.expovariate(1.0) for _ in range(15)])
        assert found.low_us is not None
        assert found.high_us is not None
        hits += found.low_us <= 0.6931 <= found.high_us
    assert hits >= 940


def test_five_samples_have_a_median_and_no_interval() -> None:
    found = median_of([3.0, 1.0, 2.0, 5.0, 4.0])
    assert (found.us, found.low_us, found.high_us) == (3.0, None, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9, "0.90"), (9.994, "9.99"), (9.996, "10.0"), (99.94, "99.9"), (99.96, "100"), (12345.6, "12,346")],
)
def test_microseconds_have_three_digits(value: float, text: str) -> None:
    assert microseconds(value) == text


def test_other_numbers() -> None:
    assert ratio(1.23456) == "1.235×"
    assert interval(Interval(ratio=1.0, low=0.98765, high=1.01)) == "0.988–1.010"
    assert percent(0.834) == "83 %"
    assert (scientific(0.0), scientific(0.00049), scientific(3.1e-7)) == ("0", "0.00049", "3.1e-07")
