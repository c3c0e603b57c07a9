"""What a run may still spend, and the words for why it ended."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kmaint.config import Config
from kmaint.records.evaluation import Evaluation, wall_s
from kmaint.records.exchange import Exchange, Usage
from kmaint.records.run import Budget


def budget_of(config: Config) -> Budget:
    """As the settings say."""
    return Budget(candidates=config.candidates, minutes=config.minutes, tokens=config.tokens, cost_usd=config.cost)


def used_by(exchanges: Sequence[Exchange]) -> Usage:
    """All that the answers took."""
    return sum((exchange.usage for exchange in exchanges), Usage())


class Meter:
    """Counts from what was recorded, so that a resumed run has what the killed one left.

    It is read before every turn and every question, and a question gets what is left of the minutes as its limit. The
    gate is not cut short: a run may overrun its minutes by one candidate's climb, tokens and cost by one answer. What
    is proposed too late is not judged, unless nothing was judged before: minutes spent on finding it bring a verdict.
    `exchanges` may grow as the run goes on.
    """

    def __init__(self, budget: Budget, history: Sequence[Evaluation], exchanges: Sequence[Exchange] = ()) -> None:
        self._budget, self._exchanges = budget, exchanges
        spent_s = sum(wall_s(evaluation.rungs) for evaluation in history)
        self._started = time.monotonic() - spent_s - sum(exchange.seconds for exchange in exchanges)

    @property
    def seconds_left(self) -> float | None:
        """Of the minutes; None where they have no limit."""
        if self._budget.minutes is None:
            return None
        return max(0.0, 60 * self._budget.minutes - (time.monotonic() - self._started))

    @property
    def out_of_time(self) -> str:
        """Why nothing more may be begun, in words; empty while something may."""
        return f"the budget of {self._budget.minutes:g} minutes is spent" if self.seconds_left == 0.0 else ""

    @property
    def overspent(self) -> str:
        """Why nobody may be asked any more, in words; empty while one may. A price that nobody says is not 0."""
        budget, used = self._budget, used_by(self._exchanges)
        if late := self.out_of_time:
            return late
        if budget.tokens is not None and used.tokens >= budget.tokens:
            return f"the budget of {budget.tokens:,} tokens is spent"
        if budget.cost_usd is None:
            return ""
        if used.cost_usd is None:
            limit = f"the budget of ${budget.cost_usd:g}"
            return f"nobody says what the answers cost, so {limit} cannot be kept; use --tokens"
        return f"the budget of ${budget.cost_usd:g} is spent" if used.cost_usd >= budget.cost_usd else ""

    def exhausted(self, candidates: int, *, answered: bool = False) -> str:
        """Why nothing more may be spent, in words; empty while something may.

        What is `answered` takes no more than a verdict: it may be judged where nobody could be asked any more.
        """
        if self._budget.candidates is not None and candidates >= self._budget.candidates:
            return f"the budget of {self._budget.candidates} candidates is spent"
        return "" if answered else self.overspent
