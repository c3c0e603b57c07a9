"""The winner: by the measured lower bound, and by an estimate only where nothing at all was measured."""

from __future__ import annotations

from kmaint.agent.winner import choose_winner, lead
from tests.agent.conftest import Judged

judged = Judged()


def test_the_best_lower_bound_wins_not_the_best_ratio() -> None:
    steady = judged.passed("steady", measured=(1.30, 1.28))
    lucky = judged.passed("lucky", measured=(1.40, 1.05))
    assert choose_winner([lucky, steady, judged.wrong("wrong")]) == steady


def test_a_measured_candidate_that_is_no_win_is_not_chosen_whatever_was_expected_of_it() -> None:
    flat = judged.passed("flat", measured=(1.02, 0.99), win=False, expected=1.5)
    unmeasured = judged.passed("unmeasured", expected=2.0)
    assert choose_winner([flat, unmeasured]) is None


def test_without_any_measurement_the_best_estimate_above_one_is_chosen() -> None:
    better, worse = judged.passed("better", expected=1.2), judged.passed("worse", expected=0.9)
    assert choose_winner([worse, better, judged.passed("unknown")]) == better
    assert choose_winner([worse, judged.passed("unknown")]) is None


def test_lead_is_absent_where_a_candidate_failed() -> None:
    assert lead(judged.wrong("wrong")) is None
    assert lead(judged.passed("measured", measured=(1.3, 1.2), expected=1.9)) == 1.2
