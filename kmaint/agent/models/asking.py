"""Puts a question until the answer is one: what was wrong goes back with the question, a bounded number of times."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from kmaint.agent.dialogue import Dialogue
from kmaint.agent.models.model import Answer, Model, Reply
from kmaint.errors import MissingError
from kmaint.records.exchange import Exchange, Role

ATTEMPTS = 3
"""Answers to one question; a model that misread it three times will not read it."""

Result = TypeVar("Result")


class InvalidAnswer(Exception):
    """An answer of the right type that cannot be meant: its text goes back to who gave it."""


@dataclass(frozen=True, kw_only=True)
class Question(Generic[Answer, Result]):
    """A role's prompt, the type of its answer, and what is made of that.

    `read` raises InvalidAnswer; `about` says which candidate the result led to or was about.
    """

    role: Role
    prompt: str
    answer: type[Answer]
    read: Callable[[Answer], Result]
    about: Callable[[Result], str | None] = lambda _result: None


def put(question: Question[Answer, Result], model: Model, dialogue: Dialogue) -> Result | None:
    """What the model's answer comes to; None where none was valid or the budget ended, which is written down.

    MissingError where nobody answers at all: the next to be asked would not be answered either.
    """
    prompt = question.prompt
    kept = dialogue.answered(question.role, model.name, question.prompt)
    if kept is not None:
        try:
            return question.read(question.answer.model_validate_json(kept))
        except InvalidAnswer as error:  # it led to what was judged since
            prompt = _again(question.prompt, kept, str(error))
    for _ in range(ATTEMPTS):
        if dialogue.overspent:
            return None
        asked = _ask(question, prompt, model, dialogue)
        reply, result, fault = asked
        if not reply.reached and not dialogue.meter.out_of_time:  # else it was our limit that cut it short
            raise MissingError(fault, "the run is kept: the same command goes on where it was")
        if not fault:
            return result
        prompt = _again(question.prompt, reply.text, fault)
    return None


def _ask(
    question: Question[Answer, Result], prompt: str, model: Model, dialogue: Dialogue
) -> tuple[Reply[Answer], Result | None, str]:
    """One answer, written down; what it comes to, or what is wrong with it."""
    started = time.monotonic()
    reply = model.ask(
        question.role, prompt, question.answer, most_tokens=dialogue.tokens_left, most_s=dialogue.seconds_left
    )
    seconds, fault, result = time.monotonic() - started, "", None
    try:
        result = _read(question, reply)
    except InvalidAnswer as error:
        fault = str(error)
    exchange = Exchange(
        role=question.role,
        model=model.name,
        prompt=prompt,
        answer=reply.text,
        usage=reply.usage,
        seconds=seconds,
        candidate=None if result is None else question.about(result),
        fault=fault,
    )
    dialogue.record(exchange)
    return reply, result, fault


def _read(question: Question[Answer, Result], reply: Reply[Answer]) -> Result:
    if reply.answer is None:
        raise InvalidAnswer(reply.fault)
    return question.read(reply.answer)


def _again(prompt: str, answer: str, fault: str) -> str:
    """The whole question once more: a model remembers nothing, and what begins alike is read from its cache."""
    said = (
        f"Your answer was:\n\n{answer}\n\nIt cannot be used: {fault}\n" if answer else f"Nothing came back: {fault}\n"
    )
    return f"{prompt}\n---\n{said}Answer the whole question again.\n"
