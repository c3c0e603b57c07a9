"""A win is measured twice, and a disagreement of clocks up to three times: played, for who only counts them."""

from __future__ import annotations

import dataclasses
import re
import threading

import pytest

from kmaint.evaluate import Bench
from kmaint.evaluate.timing.confirming import convicted, twice
from kmaint.evaluate.timing.measuring import Measured, workload_timing
from kmaint.evaluate.timing.ratios import combine
from kmaint.records.evaluation import Dishonest, Rejection, Wrong
from tests.evaluate.timing.test_measuring import VALUE


@pytest.mark.parametrize(
    ("said", "again", "kind"),
    [
        (["disagree", "measured"], 1, Measured),
        (["disagree", "disagree", "wrong"], 2, Wrong),
        (["disagree", "disagree", "disagree", "measured"], 2, Dishonest),
        (["wrong", "measured"], 0, Wrong),
        (["measured"], 0, Measured),
    ],
)
def test_only_who_disagrees_every_time_is_called_a_liar(
    bench: Bench, said: list[str], again: int, kind: type[object]
) -> None:
    timing = combine([workload_timing("T4", 1.0, VALUE)])
    results: dict[str, Measured | Rejection] = {
        "disagree": Dishonest(reason="T4: claims 0.82x", codes=("clock_disagrees",)),
        "wrong": Wrong(reason="T4: another result", codes=("mismatch",)),
        "measured": Measured(timing=timing, clocks_mhz=()),
    }
    told: list[str] = []
    answers = iter(said)
    found = convicted(lambda: results[next(answers)], dataclasses.replace(bench, progress=told.append))
    assert isinstance(found, kind)
    assert told == ["time, again: two clocks disagreed: T4: claims 0.82x"] * again


def of_ratio(ratio: float) -> Measured:
    value = {**VALUE, "original_us": [10.0 * ratio] * 12, "candidate_us": [10.0] * 12}
    return Measured(timing=combine([workload_timing("T4", 1.0, value)]), clocks_mhz=(1980, 1980))


LIAR = Dishonest(reason="T4: stale", codes=("stale_result",))


@pytest.mark.parametrize(
    ("results", "quick", "found"),
    [
        ([of_ratio(1.2), of_ratio(1.1)], False, dataclasses.replace(of_ratio(1.1), first=of_ratio(1.2).timing)),
        ([of_ratio(1.2), of_ratio(1.0)], False, dataclasses.replace(of_ratio(1.0), first=of_ratio(1.2).timing)),
        ([of_ratio(1.2), LIAR], False, LIAR),
        ([of_ratio(1.0)], False, of_ratio(1.0)),
        ([LIAR], False, LIAR),
        ([of_ratio(1.2)], True, of_ratio(1.2)),
    ],
)
def test_a_win_is_measured_twice_and_the_second_counts_with_the_first_beside_it(
    bench: Bench, results: list[Measured | Rejection], quick: bool, found: Measured | Rejection
) -> None:
    left = list(results)
    told: list[str] = []
    quiet = dataclasses.replace(bench, quick=quick, progress=told.append)
    assert twice(lambda: left.pop(0), quiet) == found
    assert left == []
    assert told == ["time, confirming"] * (len(results) - 1)


@pytest.mark.parametrize(
    ("results", "found"),
    [
        ([of_ratio(1.2), of_ratio(1.1)], dataclasses.replace(of_ratio(1.1), first=of_ratio(1.2).timing)),
        ([of_ratio(1.2), LIAR], LIAR),
        ([of_ratio(1.0), LIAR], of_ratio(1.0)),
        ([LIAR, of_ratio(1.2)], LIAR),
    ],
)
def test_both_measurements_may_be_begun_at_once_and_count_as_if_one_had_followed_the_other(
    bench: Bench, results: list[Measured | Rejection], found: Measured | Rejection
) -> None:
    begun, both = list[int](), threading.Barrier(2, timeout=60.0)

    def measured() -> Measured | Rejection:
        (own,) = map(int, re.findall(r"^Thread-(\d+)", threading.current_thread().name))  # the first begins first
        begun.append(own)
        both.wait()  # neither ends before the other has begun
        return results[sorted(begun).index(own)]

    assert twice(measured, bench, at_once=True) == found
