"""What passed between the chain and a model, a coding agent or a person, and what it used up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kmaint.records.evaluation import Sandboxed

Role = Literal["planner", "coder", "repair", "judge"]

EXCHANGE = "exchange"
"""The kind of the events of a run that hold an Exchange."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What answers took. `cost_usd` is None where nobody says a price, which is not the same as nothing.

    Requests and tokens are those that a model's server counted: a coding agent or a person tells of none.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        priced = self.cost_usd is not None and other.cost_usd is not None
        return Usage(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=(self.cost_usd or 0.0) + (other.cost_usd or 0.0) if priced else None,
        )


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One prompt and its answer, word for word. `candidate` is the one it led to or was about, where there is one.

    `fault` says in one line why the answer was of no use, and is empty where it was. `seconds` is how long the run
    waited for it: nothing for an answer that came from outside.
    """

    role: Role
    model: str
    prompt: str
    answer: str
    usage: Usage
    seconds: float
    candidate: str | None = None
    fault: str = ""
    sandbox: Sandboxed | None = None
    """What stood around a program that was run for it; None where none was."""
