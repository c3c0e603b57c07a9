"""A first look at a candidate's times, where only wins are wanted: the suites are for what may become one."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from pathlib import Path

from kmaint.evaluate.bench import Bench, Done, Failed
from kmaint.evaluate.rungs.facts import Built, first_line
from kmaint.evaluate.rungs.suite import verdict_of
from kmaint.evaluate.screen import LOSING, Ratios, Rough, compared
from kmaint.evaluate.timing.ratios import SMALLEST_GAIN
from kmaint.intervals import geometric_mean
from kmaint.records.evaluation import Rejection, Rung
from kmaint.records.harness import Harness
from kmaint.records.timing import Interval

LOOK = Rough(rounds=12, sets=48, best=3)
"""Fewer argument sets than are timed: building 256 of them takes longer than all else, and both sides have the same.

Beside others: to have the GPU alone, each of a dozen looks had to wait for the eleven others to leave it."""
WORTH_A_BRANCH = 1.05
"""From here on a gain at one size may be had by a dispatch table, whatever the others lose."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """Original over candidate, over all timed workloads; of those that gain least and most, the median."""

    speedup: Interval
    least: float
    most: float

    @property
    def hopeless(self) -> str:
        """Why no win can come of it, whatever a dispatch table would make of it; empty where one may."""
        return self._gainless if self.most < WORTH_A_BRANCH else ""

    @property
    def no_win(self) -> str:
        """Why it is no win as it stands; empty where it may be one."""
        if self.least < LOSING:
            return f"{self} by a first look, and {self.least:.2f}x on the workload that gains least"
        return self._gainless

    @property
    def _gainless(self) -> str:
        if self.speedup.high >= 1.0 + SMALLEST_GAIN:
            return ""
        return f"{self} by a first look, and a win is more than {1.0 + SMALLEST_GAIN}x"

    def __str__(self) -> str:
        return f"{self.speedup.ratio:.2f}x ({self.speedup.low:.2f} to {self.speedup.high:.2f})"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The look, None where none could be had, and the rungs that were climbed for it, of which it is the last.

    `built` is what the compiler made of the candidate, where that need not lie beside it to be judged. `wrong`: what
    can be said without a look where its results are plainly others.
    """

    look: Look | None
    rungs: tuple[Rung, ...]
    built: Built | None = None
    wrong: Rejection | None = None

    @property
    def ended(self) -> tuple[Rung, ...]:
        """The rungs of a climb that the look ends."""
        return (*self.rungs[:-1], replace(self.rungs[-1], passed=False))


def look(harness: Harness, file: Path, bench: Bench, scratch: Path, rough: Rough = LOOK) -> Look | Rejection | str:
    """In a process of its own; or why it says nothing: the rungs to come have the words for a candidate that fails.

    The candidate runs in the very process that times it, so that its word is good for no more than whom to judge; and
    against itself: that its results are plainly others, whatever the rungs to come would call that.
    """
    (answer, ratios) = compared(harness, [file], bench, scratch, rough)[file]
    match answer:
        case Done(value={"differs": ""}):
            return looked(harness, ratios) if ratios else "gives no times, or others than were asked for"
        case Done(value={"differs": str(differs), "plainly": True}):
            return verdict_of("mismatch", f"{differs}, by a first look", "")
        case Done(value={"differs": str(differs)}):
            return differs
        case Done():
            return "gives no answer"
        case Failed(type=kind, text=text):
            return f"{kind}: {first_line(text)}"
        case lost:
            return lost.text


def looked(harness: Harness, ratios: Ratios) -> Look:
    """What the ratios say, by the workloads' weights. Those of ranks are less apart than the look is off."""
    timed = harness.contract.timed
    medians = [statistics.median(ratios[one.name]) for one in timed]
    mean = geometric_mean([(one.weight, ratios[one.name]) for one in timed])
    return Look(speedup=mean, least=min(medians), most=max(medians))
