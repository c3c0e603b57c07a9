from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmaint.evaluate.timing import ratios as timing
from kmaint.intervals import interval
from kmaint.records.timing import Interval, Timing, Trace, WorkloadTiming

MICROSECONDS = st.floats(1.0, 1000.0)
BLOCKS = st.lists(st.tuples(MICROSECONDS, MICROSECONDS), min_size=1, max_size=12)
few = settings(max_examples=25, deadline=None)


def measured(
    original_us: list[float], candidate_us: list[float], *, weight: float = 1.0, noise: float = 0.0
) -> WorkloadTiming:
    return WorkloadTiming(
        workload=f"w{weight}",
        weight=weight,
        original_us=tuple(original_us),
        candidate_us=tuple(candidate_us),
        speedup=interval(original_us, candidate_us),
        noise=Interval(ratio=1.0, low=1.0 - noise, high=1.0 + noise),
    )


def test_a_clear_gain_wins() -> None:
    assert timing.is_win(timing.combine([measured([12.0] * 20, [10.0] * 20)]))


def test_the_same_kernel_does_not_win() -> None:
    assert not timing.is_win(timing.combine([measured([10.0] * 20, [10.0] * 20)]))


def test_a_gain_inside_the_noise_does_not_win() -> None:
    found = timing.combine([measured([10.5] * 20, [10.0] * 20, noise=0.06)])
    assert found.noise_floor == pytest.approx(0.06)
    assert not timing.is_win(found)
    assert timing.shortfall(found) == "no gain beyond the noise floor of 6.0%"


def test_a_quiet_machine_still_asks_for_one_percent() -> None:
    found = timing.combine([measured([10.05] * 20, [10.0] * 20)])
    assert found.noise_floor == timing.SMALLEST_GAIN
    assert not timing.is_win(found)


def test_one_workload_that_loses_more_than_two_percent_undoes_a_win() -> None:
    gain = measured([20.0] * 20, [10.0] * 20, weight=0.9)
    assert timing.is_win(timing.combine([gain, measured([9.9] * 20, [10.0] * 20, weight=0.1)]))
    behind = timing.combine([gain, measured([9.7] * 20, [10.0] * 20, weight=0.1)])
    assert not timing.is_win(behind)
    assert timing.shortfall(behind) == "w0.1 loses: 0.97x"


def test_what_the_device_waited_for_its_host_in_wins_nothing() -> None:
    gain = replace(measured([12.0] * 20, [10.0] * 20), late=3)
    found = timing.combine([gain])
    assert not timing.is_win(found)
    assert timing.shortfall(found) == "the device waited for its host in 3 blocks of w1.0"
    assert timing.is_unclear(found)


def test_what_lies_within_the_clocks_own_noise_is_unclear() -> None:
    gain = measured([12.0] * 20, [10.0] * 20)
    wide = replace(measured([9.5] * 20, [10.0] * 20), speedup=Interval(ratio=0.95, low=0.93, high=1.49))
    assert timing.is_unclear(timing.combine([gain, wide]))
    assert timing.is_unclear(timing.combine([measured([10.5] * 20, [10.0] * 20, noise=0.06)]))
    sure = measured([9.5] * 20, [10.0] * 20, weight=0.1)
    for clear in ([gain], [gain, sure], [measured([10.0] * 20, [10.0] * 20)], [measured([9.0] * 20, [10.0] * 20)]):
        assert not timing.is_unclear(timing.combine(clear))


@few
@given(st.floats(0.5, 2.0), st.floats(0.0, 0.1))
def test_a_win_turned_over_is_a_loss(ratio: float, noise: float) -> None:
    ahead = timing.combine([measured([10.0 * ratio] * 20, [10.0] * 20, noise=noise)])
    behind = timing.combine([measured([10.0] * 20, [10.0 * ratio] * 20, noise=noise)])
    assert timing.is_loss(behind) == (ahead.speedup.low > 1.0 + ahead.noise_floor)
    assert not (timing.is_win(ahead) and timing.is_loss(ahead))


def test_three_percent_slower_is_a_loss_and_half_a_percent_is_not() -> None:
    assert timing.is_loss(timing.combine([measured([10.0] * 20, [10.3] * 20)]))
    assert not timing.is_loss(timing.combine([measured([10.0] * 20, [10.05] * 20)]))


QUIET = Interval(ratio=1.0, low=0.999, high=1.001)


@pytest.mark.parametrize(
    ("ratio", "spread", "noise", "clear"),
    [
        (1.0, 0.002, QUIET, True),
        (1.03, 0.004, QUIET, True),
        (0.97, 0.004, QUIET, True),
        (1.01, 0.004, QUIET, False),
        (1.0, 0.04, QUIET, False),
        (0.98, 0.002, QUIET, False),
        (1.03, 0.004, Interval(ratio=1.0, low=0.96, high=1.01), False),
        (1.3, 0.004, Interval(ratio=1.0, low=0.96, high=1.01), True),
    ],
)
def test_more_blocks_are_wanted_where_a_line_is_near(ratio: float, spread: float, noise: Interval, clear: bool) -> None:
    original = [10.0 * (ratio + spread * (n - 6) / 6) for n in range(13)]
    assert timing.settled(original, [10.0] * 13, noise) == clear


def decided(effect: float, sd: float, bias: float, draw: random.Random) -> Timing:
    """One comparison as the gate makes it, on blocks with outliers; legs differ by where their outputs lie."""
    legs = [draw.gauss(0.0, bias) for _ in range(4)]

    def noise() -> float:
        return draw.gauss(0.0, sd) + (draw.uniform(-0.2, 0.2) if draw.random() < 0.05 else 0.0)

    original: list[float] = []
    control: list[float] = []
    while True:
        for n in range(len(original), len(original) + 12):
            original.append(10.0 * effect * math.exp(legs[n % 2] - legs[2 + n // 2 % 2] + noise()))
            control.append(10.0 * math.exp(legs[0] - legs[1] + noise()))
        still = [10.0] * len(original)
        seen = interval(control, still)
        if len(original) >= 48 or timing.settled(original, still, seen):
            break
    one = WorkloadTiming(
        workload="w",
        weight=1.0,
        original_us=tuple(original),
        candidate_us=tuple(still),
        speedup=interval(original, still),
        noise=seen,
    )
    return timing.combine([one])


def test_the_rule_is_seldom_wrong() -> None:
    """At twice the noise that an H200 mostly has, and with outliers: no false win, and 3 % either way is seen."""
    sd, bias, draw = 0.008, 0.003, random.Random(5)
    same = [decided(1.0, sd, bias, draw) for _ in range(200)]
    assert sum(map(timing.is_win, same)) <= 2
    assert sum(map(timing.is_win, (decided(1.03, sd, bias, draw) for _ in range(100)))) >= 95
    assert sum(map(timing.is_loss, (decided(1 / 1.03, sd, bias, draw) for _ in range(100)))) >= 95


def test_faster_than_the_memory_is_no_measurement() -> None:
    slow = measured([10.0], [5.0])
    assert not timing.below_floor(slow)
    with_floor = WorkloadTiming(**{**vars(slow), "floor_us": 5.5})
    assert timing.below_floor(with_floor)
    assert not timing.below_floor(WorkloadTiming(**{**vars(slow), "floor_us": 5.2}))
    assert not timing.below_floor(WorkloadTiming(**{**vars(slow), "floor_us": 50.0}))


def test_combine_keeps_the_samples() -> None:
    one = measured([10.0, 11.0], [9.0, 9.5])
    found = timing.combine([one])
    assert isinstance(found, Timing)
    assert found.workloads == (one,)


@pytest.mark.parametrize(("claimed_us", "busy_us"), [(85.8, 75.36), (80.61, 67.9)])
def test_a_replay_out_of_a_warm_cache_is_no_lie(claimed_us: float, busy_us: float) -> None:
    """Seen on an H200: an original that reads 268 MB a call, and a candidate that reads it faster."""
    record = Trace(busy_us=busy_us, launches=1.0, streams=1, kernels=("kernel",))
    assert timing.trace_agrees(claimed_us, record, captured=True)
    assert not timing.trace_agrees(claimed_us, replace(record, busy_us=busy_us / 1.3), captured=True)
    assert not timing.trace_agrees(busy_us / 1.3, record, captured=True)


def test_a_record_may_lack_what_memory_takes_for_the_call() -> None:
    """Seen on an H200: 31 MB, all of it in the L2 when the call was recorded."""
    record = Trace(busy_us=10.14, launches=1.0, streams=1, kernels=("kernel",))
    assert not timing.trace_agrees(14.7, record, captured=True)
    assert timing.trace_agrees(14.7, record, captured=True, floor_us=6.58)
    assert not timing.trace_agrees(18.3, record, captured=True, floor_us=6.58)
    assert not timing.trace_agrees(7.0, record, captured=True, floor_us=6.58)
    assert not timing.trace_agrees(100.0, record, captured=True, floor_us=90.0), "so much does not fit"


@given(st.floats(2.0, 200.0), st.floats(0.1, 200.0), st.floats(0.985, 1.015), st.booleans())
def test_where_the_record_clearly_fits_that_of_a_copy_fits_too(
    claimed_us: float, busy_us: float, noise: float, captured: bool
) -> None:
    """Each of the two records and of the two times may be 1.5 % off."""
    record = Trace(busy_us=busy_us, launches=1.0, streams=1, kernels=("kernel",))
    again = replace(record, busy_us=busy_us / noise)
    if timing.trace_agrees(claimed_us, record, captured=captured, clearly=True):
        assert timing.trace_agrees(claimed_us * noise, again, captured=captured)


def test_a_record_near_the_edge_accuses_nobody() -> None:
    """Seen on an H200: an original of 4.25 us, of which 2.1 are on record; a copy's were 0.02 us shorter."""
    record = Trace(busy_us=2.14, launches=1.0, streams=1, kernels=("kernel",))
    assert timing.trace_agrees(4.25, record, captured=True)
    assert not timing.trace_agrees(4.25, record, captured=True, clearly=True)
    assert not timing.trace_agrees(4.25, replace(record, busy_us=2.11), captured=True)
    assert timing.trace_agrees(3.0, record, captured=True, clearly=True)
