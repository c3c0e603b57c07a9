"""What a run may still spend, and the words for why it ended."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kmaint.records.evaluation import Evaluation
from kmaint.records.run import Budget


class Meter:
    """Counts from the history, so that a resumed run has what the killed one left; it is read before every turn.

    A gate under way is never cut short: a run may overrun its minutes by one candidate.
    """

    def __init__(self, budget: Budget, history: Sequence[Evaluation]) -> None:
        self._budget = budget
        spent_s = sum(rung.seconds for evaluation in history for rung in evaluation.rungs)
        self._started = time.monotonic() - spent_s

    def exhausted(self, candidates: int) -> str:
        """Why nothing more may be spent, in words; empty while something may."""
        minutes = (time.monotonic() - self._started) / 60
        if self._budget.candidates is not None and candidates >= self._budget.candidates:
            return f"the budget of {self._budget.candidates} candidates is spent"
        if self._budget.minutes is not None and minutes >= self._budget.minutes:
            return f"the budget of {self._budget.minutes:g} minutes is spent"
        return ""
