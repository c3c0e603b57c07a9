"""What a run's exchanges add up to."""

from __future__ import annotations

import pytest

from kmaint.agent.dialogue import Dialogue
from kmaint.records.exchange import Exchange, Role, Usage
from kmaint.records.run import Budget
from tests.agent.conftest import Judged


def exchange(prompt: str, answer: str, *, role: Role = "planner", fault: str = "", tokens: int = 100) -> Exchange:
    usage = Usage(requests=1, input_tokens=tokens, cost_usd=0.25)
    return Exchange(role=role, model="m", prompt=prompt, answer=answer, usage=usage, seconds=1.0, fault=fault)


def test_only_an_answer_of_use_to_the_same_question_counts_and_the_last_of_them() -> None:
    said = [exchange("why?", "no", fault="too short"), exchange("why? once more", "so"), exchange("why?", "thus")]
    dialogue = Dialogue(exchanges=said)
    assert dialogue.answered("planner", "m", "why?") == "thus"
    assert Dialogue(exchanges=said[:2]).answered("planner", "m", "why?") == "so"
    assert Dialogue(exchanges=said[:1]).answered("planner", "m", "why?") is None
    assert dialogue.answered("coder", "m", "why?") is None
    assert dialogue.answered("planner", "another", "why?") is None
    assert dialogue.answered("planner", "m", "when?") is None


def test_what_is_left_counts_what_was_of_no_use_too() -> None:
    dialogue = Dialogue(budget=Budget(tokens=250), exchanges=[exchange("a", "", fault="x"), exchange("b", "c")])
    assert (dialogue.tokens_left, dialogue.overspent) == (50, "")
    dialogue.record(exchange("d", "e"))
    assert (dialogue.tokens_left, dialogue.overspent) == (0, "the budget of 250 tokens is spent")
    assert Dialogue(exchanges=dialogue.exchanges).tokens_left is None


def test_minutes_that_verdicts_and_answers_took_leave_less_for_the_next_question() -> None:
    dialogue = Dialogue(budget=Budget(minutes=2.0), exchanges=[exchange("a", "b")])
    assert dialogue.seconds_left == pytest.approx(119.0, abs=1.0)
    dialogue.begin([Judged(seconds=60.0).wrong("a")])
    assert dialogue.seconds_left == pytest.approx(59.0, abs=1.0)
    dialogue.begin([Judged(seconds=120.0).wrong("a")])
    assert dialogue.overspent == "the budget of 2 minutes is spent"
    assert Dialogue(budget=Budget(minutes=None)).seconds_left is None
