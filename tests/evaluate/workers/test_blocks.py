from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.evaluate.workers.blocks import WARM_UP_BLOCKS, Blocks, mirrored, ratios, steady
from kmaint.evaluate.workers.sensors import Sensors


class Drifting:
    """Times legs that are named by their true length, on a machine that slows by a fixed step from run to run."""

    def __init__(self, step: float) -> None:
        self.step, self.now = step, 0.0

    def __call__(self, legs: Sequence[float]) -> list[float]:
        found = []
        for leg in legs:
            found.append(leg + self.now)
            self.now += self.step
        return found


@given(st.floats(1.0, 100.0), st.floats(1.0, 100.0), st.floats(0.0, 1.0), st.integers())
def test_a_linear_drift_hits_both_legs_alike(a: float, b: float, step: float, seed: int) -> None:
    left, right = mirrored(Drifting(step), a, b, random.Random(seed))  # type: ignore[arg-type]
    assert left - right == pytest.approx(a - b, abs=1e-9)


SLICES = st.lists(st.floats(0.0, 2000.0), min_size=12, max_size=12)


@given(st.floats(1.0, 100.0), st.floats(1.0, 100.0), SLICES, SLICES, st.integers(1, 6), st.randoms())
def test_the_best_of_each_side_are_what_they_are_alone_whatever_others_take_of_the_rest(
    a: float, b: float, lefts: list[float], rights: list[float], best: int, draw: random.Random
) -> None:
    for taken in (lefts, rights):
        for n in draw.sample(range(12), best):
            taken[n] = 0.0
    blocks = [(a + left, b + right) for left, right in zip(lefts, rights, strict=True)]
    assert ratios(blocks, best) == pytest.approx([a / b] * best)


def test_alone_each_block_says_what_it_saw() -> None:
    assert ratios([(2.0, 1.0), (9.0, 3.0)], 0) == [2.0, 3.0]


def test_a_block_is_steady_until_the_clock_moves() -> None:
    assert steady(1980, 1980)
    assert steady(1980, 1935)
    assert not steady(1980, 1755)
    assert steady(None, 1980)
    assert steady(1980, None)


class Slow:
    """A host that takes so long to queue a run; its device is kept busy for 1 before each leg, at first."""

    late = False

    def __init__(self, queued_after: float) -> None:
        self.queued_after, self.busy_for, self.times = queued_after, 1.0, 0

    def __call__(self, legs: Sequence[float]) -> list[float]:
        self.times += 1
        self.late = self.queued_after > self.busy_for
        return [legs[0] + max(0.0, self.queued_after - self.busy_for), *legs[1:]]

    def wait_longer(self) -> None:
        self.busy_for *= 2.0


class Untouched:
    """What no leg writes to."""

    def restore(self) -> None: ...


def blocks_of(clock: Slow, *legs: float) -> Blocks:
    return Blocks(clock, list(legs), Untouched(), random.Random(0), Sensors(None))  # type: ignore[arg-type]


@given(st.floats(0.1, 8.0))
def test_once_warm_no_leg_is_waited_for_whose_host_is_slow(queued_after: float) -> None:
    blocks = blocks_of(Slow(queued_after), 2.0, 1.0, 2.0, 1.0)
    blocks.warm_up()
    blocks.run(5)
    assert blocks.found == {
        "original_us": [2.0] * 5,
        "candidate_us": [1.0] * 5,
        "control_a_us": [2.0] * 5,
        "control_b_us": [2.0] * 5,
    }
    assert blocks.dropped == 0


def test_a_block_that_waited_for_its_host_is_measured_again() -> None:
    """As after a while in which the host was quick: nothing of it is in what is found."""
    clock = Slow(0.5)
    blocks = blocks_of(clock, 2.0, 1.0, 2.0, 1.0)
    blocks.warm_up()
    clock.queued_after = 3.0
    blocks.run(4)
    assert (blocks.dropped, clock.times) == (2, WARM_UP_BLOCKS + 2 + 2 * 4)
    assert set(blocks.found["original_us"] + blocks.found["control_a_us"] + blocks.found["control_b_us"]) == {2.0}


def test_where_the_host_never_keeps_up_there_is_an_end_to_it() -> None:
    clock = Slow(float("inf"))
    blocks = blocks_of(clock, 2.0, 1.0, 2.0, 1.0)
    blocks.run(4)
    assert [len(found) for found in blocks.found.values()] == [4] * 4
    assert (blocks.dropped, blocks.late) == (3 * 4, 2 * 4), "and what is kept is said to be the host's"
