from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from kmaint.learning.reward import reward_of
from tests.learning.conftest import failed, timed, untimed


def test_the_stated_formula() -> None:
    accepted = reward_of(timed(2.0, 2.1, 2.2, win=True))
    assert (accepted.built, accepted.right, accepted.honest, accepted.speed) == (1.0, 1.0, 1.0, 1.0)
    assert accepted.total == 0.1 + 0.4 + 1.0
    assert reward_of(failed("not_built")).total == 0.0
    assert reward_of(failed("wrong")).total == 0.1
    assert reward_of(untimed()).total == 0.5
    assert reward_of(failed("dishonest")).total == -1.0


def test_noise_is_worth_nothing_and_a_loss_costs() -> None:
    assert reward_of(timed(0.99, 1.3, 1.5, win=False)).speed == 0.0
    assert reward_of(timed(1.2, 1.3, 1.4, win=False)).speed == 0.0, "it loses a workload, so nobody would ship it"
    assert math.isclose(reward_of(timed(0.8, 0.85, 0.9, win=False)).speed, math.log2(0.9))


@given(st.floats(min_value=1e-3, max_value=0.999), st.floats(min_value=1.001, max_value=1e3))
def test_a_trick_is_worst_then_wrong_then_slow_then_the_same_then_fast(slow: float, fast: float) -> None:
    worth = [
        reward_of(failed("dishonest")),
        reward_of(failed("not_built")),
        reward_of(failed("wrong")),
        reward_of(timed(slow, slow, slow, win=False)),
        reward_of(timed(0.9, 1.0, 1.1, win=False)),
        reward_of(timed(fast, fast, fast, win=True)),
    ]
    totals = [one.total for one in worth]
    assert totals == sorted(totals)
    assert len(set(totals)) == len(totals)
    assert -1.0 <= min(totals) <= max(totals) <= 3.5
