"""The budget: counted from the history, with the reason in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.agent.budget import Meter, budget_of
from kmaint.config import load_config
from kmaint.records.exchange import Exchange, Usage
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


def test_what_is_left_of_the_minutes_is_in_seconds_and_never_less_than_none() -> None:
    history = [Judged(seconds=61.0).wrong("a"), Judged(seconds=61.0).wrong("b")]
    some, none = Meter(Budget(minutes=3.0), history), Meter(Budget(minutes=2.0), history)
    assert some.seconds_left == pytest.approx(58.0, abs=1.0)
    assert (some.out_of_time, some.overspent) == ("", "")
    assert none.seconds_left == 0.0
    assert none.out_of_time == none.overspent == "the budget of 2 minutes is spent"


def test_no_limit_is_never_reached() -> None:
    endless = Meter(Budget(candidates=None, minutes=None), [Judged(seconds=1e6).wrong("a")])
    assert endless.exhausted(10_000) == ""
    assert (endless.seconds_left, endless.out_of_time) == (None, "")


def exchange(tokens: int = 100, cost_usd: float | None = 0.25, seconds: float = 1.0) -> Exchange:
    usage = Usage(requests=1, input_tokens=tokens, cost_usd=cost_usd)
    return Exchange(role="planner", model="m", prompt="p", answer="a", usage=usage, seconds=seconds)


def test_tokens_and_money_are_counted_as_answers_come_in() -> None:
    said: list[Exchange] = []
    tokens = Meter(Budget(candidates=None, minutes=None, tokens=250), [], said)
    money = Meter(Budget(candidates=None, minutes=None, cost_usd=0.5), [], said)
    assert (tokens.exhausted(0), money.exhausted(0)) == ("", "")
    said += [exchange(), exchange()]
    assert (tokens.exhausted(0), money.exhausted(0)) == ("", "the budget of $0.5 is spent")
    said += [exchange()]
    assert tokens.exhausted(0) == "the budget of 250 tokens is spent"


def test_a_price_that_nobody_says_is_no_price_of_nothing() -> None:
    meter = Meter(Budget(candidates=None, minutes=None, cost_usd=100.0), [], [exchange(), exchange(cost_usd=None)])
    assert meter.exhausted(0) == (
        "nobody says what the answers cost, so the budget of $100 cannot be kept; use --tokens"
    )
    assert Meter(Budget(candidates=None, minutes=None), [], [exchange(cost_usd=None)]).exhausted(0) == ""


def test_the_wait_for_answers_before_a_kill_is_spent_already() -> None:
    meter = Meter(Budget(candidates=None, minutes=2.0), [Judged(seconds=61.0).wrong("a")], [exchange(seconds=60.0)])
    assert meter.exhausted(1) == "the budget of 2 minutes is spent"


limits = st.none() | st.integers(1, 5)
budgets = st.builds(Budget, candidates=limits, minutes=limits, tokens=limits, cost_usd=limits)


@given(budgets, budgets)
def test_a_budget_exceeds_another_where_something_more_may_be_spent(one: Budget, other: Budget) -> None:
    assert not one.exceeds(one)
    assert Budget(candidates=None, minutes=None).exceeds(one) == (one != Budget(candidates=None, minutes=None))
    if one.exceeds(other) and other.exceeds(one):
        assert one != other
    if one != other:
        assert one.exceeds(other) or other.exceeds(one)


def test_the_settings_say_the_budget() -> None:
    config = load_config(candidates=3, minutes=4.0, tokens=5, cost=6.0)
    assert budget_of(config) == Budget(candidates=3, minutes=4.0, tokens=5, cost_usd=6.0)
