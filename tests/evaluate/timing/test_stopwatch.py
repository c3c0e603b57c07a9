from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmaint.evaluate.timing import confirming, stopwatch
from kmaint.evaluate.timing.stopwatch import AGAIN, CANDIDATE, IDLE, ORIGINAL, PASSES, Stopwatch


class Worker:
    """Obeys a stopwatch on a clock of its own: legs take `true_us` a call, every run 30 us beside, every message 50."""

    def __init__(self, true_us: Mapping[int, float], noise_us: list[float]) -> None:
        self.true_us, self.noise_us, self.now, self.orders = true_us, noise_us, 0.0, 0
        self.undisturbed = set[int]()
        """Legs that had an interval without noise."""

    def obey(self, watch: Stopwatch) -> None:
        while not (order := watch.next())["done"]:
            spent = order["runs"] * (watch.calls * self.true_us.get(order["leg"], 0.0) + 30.0)
            noise_us = self.noise_us[self.orders % len(self.noise_us)]
            self.undisturbed |= set() if noise_us else {order["leg"]}
            self.now += (50.0 + spent + noise_us) / 1e6
            self.orders += 1


def watched(
    claimed_us: tuple[float, float],
    true_us: Mapping[int, float],
    monkeypatch: pytest.MonkeyPatch,
    noise_us: list[float],
) -> tuple[Stopwatch, Worker]:
    watch, worker = Stopwatch(claimed_us, calls=20, close=0.05), Worker(true_us, noise_us)
    monkeypatch.setattr(stopwatch, "perf_counter", lambda: worker.now)
    worker.obey(watch)
    return watch, worker


@settings(max_examples=50, deadline=None)
@given(st.floats(2.0, 500.0), st.floats(0.2, 5.0), st.lists(st.floats(0.0, 200.0), min_size=1, max_size=9))
def test_true_claims_agree_in_one_pass(original_us: float, ratio: float, noise_us: list[float]) -> None:
    true_us = {ORIGINAL: original_us, CANDIDATE: original_us / ratio, AGAIN: original_us}
    with pytest.MonkeyPatch.context() as monkeypatch:
        watch, worker = watched((original_us, original_us / ratio), true_us, monkeypatch, noise_us)
    assert watch.disagreement() == ""
    assert watch.ratio == pytest.approx(ratio, rel=0.06)
    assert worker.orders <= 8 * PASSES


@settings(max_examples=50, deadline=None)
@given(st.floats(2.0, 500.0), st.floats(1.2, 5.0), st.lists(st.floats(0.0, 200.0), min_size=1, max_size=9))
def test_a_claim_of_twenty_percent_that_is_not_there_is_found(
    original_us: float, lie: float, noise_us: list[float]
) -> None:
    true_us = {ORIGINAL: original_us, CANDIDATE: original_us, AGAIN: original_us}
    with pytest.MonkeyPatch.context() as monkeypatch:
        watch, worker = watched((original_us, original_us / lie), true_us, monkeypatch, noise_us)
    assert watch.disagreement().startswith(f"claims {lie:.2f}x")
    assert worker.orders == 8 * PASSES


@given(st.floats(2.0, 500.0), st.floats(0.2, 1.0))
def test_nobody_is_accused_who_claims_no_gain_where_more_is_seen(original_us: float, modest: float) -> None:
    true_us = {ORIGINAL: original_us, CANDIDATE: original_us, AGAIN: original_us}
    with pytest.MonkeyPatch.context() as monkeypatch:
        watch, _ = watched((original_us, original_us / modest), true_us, monkeypatch, [0.0])
    assert watch.disagreement() == ""


def test_a_gain_that_is_far_larger_from_outside_is_a_lie_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of one that leaves its work out where it is timed from outside."""
    true_us = {ORIGINAL: 100.0, CANDIDATE: 2.0, AGAIN: 100.0}
    watch, _ = watched((100.0, 50.0), true_us, monkeypatch, [0.0])
    assert watch.disagreement().startswith("claims 2.00x, and takes as long as ")


@settings(max_examples=50, deadline=None)
@given(st.floats(20.0, 500.0), st.floats(1.0, 40.0), st.lists(st.floats(0.0, 100.0), min_size=1, max_size=9))
def test_a_leg_that_is_many_times_faster_is_timed_for_long_enough(
    original_us: float, ratio: float, noise_us: list[float]
) -> None:
    true_us = {ORIGINAL: original_us, CANDIDATE: original_us / ratio, AGAIN: original_us}
    with pytest.MonkeyPatch.context() as monkeypatch:
        watch, _ = watched((original_us, original_us / ratio), true_us, monkeypatch, noise_us)
    faster_us, slower_us = (watch.runs * watch.calls * us for us in (original_us / ratio, original_us))
    assert faster_us >= min(stopwatch.INTERVAL_US, stopwatch.LONGEST_US / ratio) * 0.999
    assert slower_us <= stopwatch.LONGEST_US + watch.calls * original_us
    assert watch.disagreement() == ""
    assert watch.ratio == pytest.approx(ratio, rel=0.1)


def test_each_leg_and_the_idle_one_run_equally_often_in_mirrored_order(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, _ = watched((10.0, 10.0), {ORIGINAL: 10.0, CANDIDATE: 10.0, AGAIN: 10.0}, monkeypatch, [0.0])
    assert {leg: len(found) for leg, found in watch.found_us.items()} == dict.fromkeys(range(4), 2)
    assert watch.runs * watch.calls * 10.0 >= stopwatch.INTERVAL_US
    assert watch.us(IDLE) == 0.0
    assert watch.noise == pytest.approx(0.0)


@settings(max_examples=50, deadline=None)
@given(st.floats(2.0, 500.0), st.floats(0.2, 5.0), st.lists(st.floats(0.0, 30_000.0), min_size=5, max_size=9))
def test_on_a_busy_machine_the_truth_is_no_lie(original_us: float, ratio: float, noise_us: list[float]) -> None:
    """Waits as long as the intervals themselves. One undisturbed interval of each leg is enough; where chance lets one
    have none in all passes, it is measured again, as the gate does before it accuses anybody."""
    true_us = {ORIGINAL: original_us, CANDIDATE: original_us / ratio, AGAIN: original_us}

    def disagreement() -> str:
        with pytest.MonkeyPatch.context() as monkeypatch:
            watch, worker = watched((original_us, original_us / ratio), true_us, monkeypatch, [0.0, *noise_us])
        found = watch.disagreement()
        assert found == "" or len(worker.undisturbed) < len(watch.found_us)
        return found

    assert not all(disagreement() for _ in range(1 + confirming.AGAIN))
