"""What a run and those who propose for it have said to each other: kept as it happens, and never asked for twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kmaint import wire
from kmaint.agent.budget import Meter, used_by
from kmaint.agent.screening import Note
from kmaint.records.evaluation import Evaluation
from kmaint.records.exchange import EXCHANGE, Exchange, Role
from kmaint.records.run import Budget
from kmaint.records.workload import Json


@dataclass(kw_only=True)
class Dialogue:
    """The exchanges of one run, in their order, and what of its budget is left for more.

    `folder` is the run's own, where a request can wait for its answer.
    """

    note: Note = lambda _kind, _payload: None
    budget: Budget = field(default_factory=Budget)
    exchanges: list[Exchange] = field(default_factory=list)
    folder: Path = Path()
    meter: Meter = field(init=False)

    def __post_init__(self) -> None:
        self.meter = self.begin(())

    def begin(self, history: Sequence[Evaluation]) -> Meter:
        """Count minutes from now on, beside those that the history and its exchanges took."""
        self.meter = Meter(self.budget, history, self.exchanges)
        return self.meter

    def record(self, exchange: Exchange) -> None:
        """Write an exchange down, before anything else happens."""
        self.note(EXCHANGE, wire.dump(exchange))
        self.exchanges.append(exchange)

    def answered(self, role: Role, model: str, prompt: str) -> str | None:
        """The last answer of use to this prompt, asked as it is or once more with what was wrong before; if any."""
        for one in reversed(self.exchanges):
            if (one.role, one.model) == (role, model) and one.prompt.startswith(prompt) and not one.fault:
                return one.answer
        return None

    @property
    def overspent(self) -> str:
        """Why nothing more may be asked, in words; empty while something may."""
        return self.meter.overspent

    @property
    def tokens_left(self) -> int | None:
        """Of the run's budget; None where that has no limit of tokens."""
        return None if self.budget.tokens is None else max(0, self.budget.tokens - used_by(self.exchanges).tokens)

    @property
    def seconds_left(self) -> float | None:
        """Of the run's minutes, for the next question; None where they have no limit."""
        return self.meter.seconds_left


def recalled(payloads: Iterable[Json]) -> list[Exchange]:
    """The exchanges in the events of a run that is resumed."""
    return [wire.load(Exchange, payload) for payload in payloads]
