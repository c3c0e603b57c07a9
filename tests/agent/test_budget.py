"""The budget: counted from the history, with the reason in words."""

from __future__ import annotations

from kmaint.agent.budget import Meter
from kmaint.records.run import Budget
from tests.agent.conftest import Judged


def test_candidates_are_counted() -> None:
    meter = Meter(Budget(candidates=2, minutes=None), [])
    assert meter.exhausted(1) == ""
    assert meter.exhausted(2) == "the budget of 2 candidates is spent"


def test_minutes_that_the_history_took_are_spent_already() -> None:
    history = [Judged(seconds=61.0).wrong("a"), Judged(seconds=61.0).wrong("b")]
    assert Meter(Budget(candidates=None, minutes=2.0), history).exhausted(2) == "the budget of 2 minutes is spent"
    assert Meter(Budget(candidates=None, minutes=2.5), history).exhausted(2) == ""


def test_no_limit_is_never_reached() -> None:
    assert Meter(Budget(candidates=None, minutes=None), [Judged(seconds=1e6).wrong("a")]).exhausted(10_000) == ""
