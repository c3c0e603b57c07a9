"""A question is put until its answer is one, so often and no more; what was answered is not asked again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from pydantic import BaseModel

from kmaint.agent.dialogue import Dialogue, recalled
from kmaint.agent.models import InvalidAnswer, Question, Reply, put
from kmaint.agent.models.asking import ATTEMPTS
from kmaint.agent.models.model import Answer
from kmaint.errors import MissingError
from kmaint.records.exchange import Role, Usage
from kmaint.records.run import Budget
from kmaint.records.workload import Json


class Number(BaseModel):
    """A number."""

    value: int


@dataclass
class Played:
    """A model whose answers are played: numbers are answers, words are none, an error is nobody there."""

    name: str = "played"
    answers: list[int | str | Exception] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    limits_s: list[float | None] = field(default_factory=list)
    seconds: float = 0.0
    cost_usd: float | None = None
    unreached: Usage = field(default_factory=lambda: Usage(requests=1))

    def ask(
        self, role: Role, prompt: str, answer: type[Answer], *, most_tokens: int | None, most_s: float | None
    ) -> Reply[Answer]:
        self.prompts.append(prompt)
        self.limits_s.append(most_s)
        time.sleep(min(self.seconds, self.seconds if most_s is None else most_s))
        said = self.answers[min(len(self.prompts), len(self.answers)) - 1]
        usage = Usage(requests=1, input_tokens=90, output_tokens=10, cost_usd=self.cost_usd)
        if isinstance(said, Exception):
            return Reply(text="", answer=None, usage=self.unreached, fault=str(said), reached=False)
        if isinstance(said, str):
            return Reply(text=said, answer=None, usage=usage, fault="no number in it")
        found = answer.model_validate({"value": said})
        return Reply(text=found.model_dump_json(), answer=found, usage=usage)


def even(found: Number) -> int:
    if found.value % 2:
        raise InvalidAnswer(f"{found.value} is odd")
    return found.value


def question(read: Callable[[Number], int] = even) -> Question[Number, int]:
    return Question(role="planner", prompt="an even number?\n", answer=Number, read=read, about=str)


def test_what_is_wrong_goes_back_and_every_exchange_is_kept() -> None:
    said: list[tuple[str, Json]] = []
    dialogue = Dialogue(note=lambda kind, payload: said.append((kind, payload)))
    model = Played(answers=["many", 3, 4])
    assert put(question(), model, dialogue) == 4
    assert [(one.answer, one.fault, one.candidate) for one in dialogue.exchanges] == [
        ("many", "no number in it", None),
        ('{"value":3}', "3 is odd", None),
        ('{"value":4}', "", "4"),
    ]
    assert [one.prompt for one in dialogue.exchanges] == model.prompts
    assert model.prompts[1] == (
        "an even number?\n\n---\nYour answer was:\n\nmany\n\nIt cannot be used: no number in it\n"
        "Answer the whole question again.\n"
    )
    assert [kind for kind, _ in said] == ["exchange"] * 3
    assert recalled(payload for _, payload in said) == dialogue.exchanges


def test_a_model_that_never_answers_well_is_a_fault_after_so_many_times() -> None:
    dialogue, model = Dialogue(), Played(answers=[1])
    assert put(question(), model, dialogue) is None
    assert [one.fault for one in dialogue.exchanges] == ["1 is odd"] * ATTEMPTS


def test_what_was_answered_is_not_asked_again_though_it_took_two_tries() -> None:
    dialogue, model = Dialogue(), Played(answers=[3, 4])
    assert (put(question(), model, dialogue), put(question(), model, dialogue)) == (4, 4)
    assert len(model.prompts) == len(dialogue.exchanges) == 2


def test_an_answer_that_is_of_no_use_any_more_goes_back_with_the_reason() -> None:
    dialogue, model = Dialogue(), Played(answers=[4, 6])

    def but_four(found: Number) -> int:
        if found.value == 4:
            raise InvalidAnswer("judged before")
        return found.value

    assert put(question(), model, dialogue) == 4
    assert put(question(but_four), model, dialogue) == 6
    assert "judged before" in model.prompts[1]
    assert put(question(but_four), model, dialogue) == 6
    assert len(model.prompts) == 2


@pytest.mark.parametrize(
    ("budget", "cost_usd", "answers"),
    [(Budget(tokens=350), 0.0, 4), (Budget(cost_usd=1.0), 0.5, 2), (Budget(cost_usd=1.0), None, 1)],
)
def test_the_budget_ends_a_conversation_between_two_answers(
    budget: Budget, cost_usd: float | None, answers: int
) -> None:
    """A hundred tokens an answer; a price that nobody says ends it after the first."""
    dialogue, model = Dialogue(budget=budget), Played(answers=[1], cost_usd=cost_usd)
    for _ in range(3):
        assert put(question(), model, dialogue) is None
    assert len(model.prompts) == answers
    assert dialogue.overspent


def test_nobody_there_is_an_error_that_is_written_down_first() -> None:
    dialogue = Dialogue()
    with pytest.raises(MissingError) as error:
        put(question(), Played(answers=[RuntimeError("the line is dead")]), dialogue)
    assert str(error.value) == "the line is dead; the run is kept: the same command goes on where it was"
    (kept,) = dialogue.exchanges
    assert (kept.fault, kept.usage) == ("the line is dead", Usage(requests=1))


def test_each_question_is_given_what_is_left_of_the_minutes_and_none_is_asked_after_them() -> None:
    dialogue, model = Dialogue(budget=Budget(minutes=0.01)), Played(answers=[1], seconds=0.25)
    assert put(question(), model, dialogue) is None
    first, second, third = (limit or 0.0 for limit in model.limits_s)
    assert 0.6 >= first > second + 0.2 > third + 0.4 > 0.0
    assert dialogue.overspent == "the budget of 0.01 minutes is spent"
    assert put(question(), model, dialogue) is None
    assert len(model.prompts) == 3
    endless = Dialogue(budget=Budget(minutes=None))
    put(question(), Played(answers=[2], limits_s=model.limits_s), endless)
    assert model.limits_s[-1] is None


def test_an_answer_that_the_minutes_cut_short_is_no_error_of_who_was_asked() -> None:
    dialogue = Dialogue(budget=Budget(minutes=0.005))
    silent = Played(answers=[TimeoutError("nothing within 0.3 s")], seconds=30.0)
    assert put(question(), silent, dialogue) is None
    assert [one.fault for one in dialogue.exchanges] == ["nothing within 0.3 s"]
    assert dialogue.overspent == "the budget of 0.005 minutes is spent"


def test_nobody_there_is_an_error_though_a_budget_of_money_cannot_be_kept_any_more() -> None:
    """What an answer cost that did not come is unknown; the run is to end with why it did not."""
    dialogue = Dialogue(budget=Budget(cost_usd=1.0))
    with pytest.raises(MissingError, match="the line is dead"):
        put(question(), Played(answers=[RuntimeError("the line is dead")], unreached=Usage(cost_usd=None)), dialogue)
    assert dialogue.overspent.startswith("nobody says what the answers cost")
