from __future__ import annotations

from dataclasses import astuple, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.learning.outcome import Funnel, Outcome, funnel, outcome_of
from kmaint.records.evaluation import Evaluation
from tests.learning.conftest import FAILURES, failed, timed, untimed

ENDINGS: dict[str, tuple[Evaluation, str]] = {
    **{kind: (failed(kind), "") for kind in ("not_built", "hung_compiling")},
    **{kind: (failed(kind), "built") for kind in ("wrong", "crashed")},
    "dishonest": (failed("dishonest"), "right"),
    "untimed": (untimed(), "honest"),
    "slower": (timed(0.8, 0.9, 0.95, win=False), "timed"),
    "in the noise": (timed(0.99, 1.02, 1.05, win=False), "timed"),
    "loses a workload": (timed(1.1, 1.2, 1.3, win=False), "faster"),
    "accepted": (timed(1.1, 1.2, 1.3, win=True), "accepted"),
}
STAGES = [field.name for field in fields(Outcome)]


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_ending_gets_as_far_as_it_did(ending: str) -> None:
    found, last = ENDINGS[ending]
    reached = STAGES[: STAGES.index(last) + 1] if last else []
    assert [stage for stage in STAGES if getattr(outcome_of(found), stage)] == reached


def test_every_failure_is_among_them() -> None:
    assert set(FAILURES) < set(ENDINGS)


@given(st.lists(st.sampled_from([found for found, _ in ENDINGS.values()])))
def test_a_funnel_never_widens(found: list[Evaluation]) -> None:
    counts = astuple(funnel(found))
    assert counts[0] == len(found)
    assert list(counts) == sorted(counts, reverse=True)


def test_the_funnel_of_one_of_each() -> None:
    expected = Funnel(attempted=10, built=8, right=6, honest=5, timed=4, faster=2, accepted=1)
    assert funnel(found for found, _ in ENDINGS.values()) == expected
