"""A judge for where the best of many is wanted: all have a first look, and only what looks fastest climbs."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from functools import partial

from kmaint.evaluate.bench import Bench
from kmaint.evaluate.executors.local import Later
from kmaint.evaluate.gate import check, first_look
from kmaint.evaluate.look import Look, Seen
from kmaint.evaluate.timing.ratios import SMALLEST_GAIN
from kmaint.records.evaluation import Candidate, Evaluation, Passed, Rejection, Slower
from kmaint.records.harness import Harness
from kmaint.records.timing import Timing

RIVALS = 1
"""Candidates that climb at a time on a GPU, the fastest-looking first: alone each climbs in less than half of the time
that two take side by side, and mostly the first one wins."""

OFF = 0.03
"""How far a look may lie above what is then measured: of one workload in a hundred it was 3.5 % off, of nine in ten 1 %
(benchmarks/results/2026-12-02-h200-looks.json), and a look is over several."""

First = Callable[[Harness, Candidate, Bench], Evaluation | Seen]
Whole = Callable[..., Evaluation]
"""As `kmaint.evaluate.gate.check`."""


class ForTheBest:
    """Judges candidates of one harness; every verdict is one of the whole gate but `slower`, and `wrong` where results
    are plainly others at a first look: what cheats so is not called by its name, but it is not waited for either.

    What has won stands for what it looked like, a rough time as theirs, or for what was measured where that is less by
    more than a look is off: a candidate may lie in its own look, and so little is all that another may pay for it.
    """

    def __init__(self, first: First = first_look, whole: Whole = check) -> None:
        self._first, self._whole = first, whole
        self._won: tuple[Candidate, float] | None = None
        self._lock = threading.Lock()

    def __call__(self, harness: Harness, candidate: Candidate, bench: Bench) -> Evaluation | Later:
        found = self._first(harness, candidate, bench)
        if isinstance(found, Evaluation):
            return found
        if found.look is not None and found.look.no_win:
            return _slower(candidate, bench, found, found.look.no_win)
        if found.wrong is not None:
            return _ended(candidate, bench, found, found.wrong)
        # What no look can be had of mostly fails, and the gate has the words for it: it is nobody's rival.
        rank = 1.0 / found.look.speedup.ratio if found.look else math.inf
        return Later(rank, partial(self._climb, found), rival=found.look is not None)

    def _climb(self, seen: Seen, harness: Harness, candidate: Candidate, bench: Bench) -> Evaluation:
        if why := self._outrun(seen.look):
            return _slower(candidate, bench, seen, why)
        found = self._whole(harness, candidate, bench, seen=seen, outrun=partial(self._outrun, seen.look))
        if isinstance(found.verdict, Passed) and found.verdict.win and found.verdict.timing is not None:
            stands = _stands(seen.look, found.verdict.timing)
            with self._lock:
                if self._won is None or stands > self._won[1]:
                    self._won = candidate, stands
        return found

    def _outrun(self, look: Look | None) -> str:
        """Why the candidate need not climb; empty where it looks faster than what has won by a gain that would count,
        or like nothing."""
        if self._won is None or look is None or look.speedup.ratio > self._won[1] * (1.0 + SMALLEST_GAIN):
            return ""
        candidate, ratio = self._won
        return f"{look} by a first look, and {candidate.id}, which has won, counts as {ratio:.2f}x"


def _stands(look: Look | None, timing: Timing) -> float:
    """For which ratio of a look one stands that has won."""
    measured = timing.speedup.high
    seen = look.speedup.ratio if look else measured
    return seen if seen <= measured * (1.0 + OFF) else measured


def _slower(candidate: Candidate, bench: Bench, seen: Seen, why: str) -> Evaluation:
    return _ended(candidate, bench, seen, Slower(reason=why))


def _ended(candidate: Candidate, bench: Bench, seen: Seen, verdict: Rejection) -> Evaluation:
    return Evaluation(candidate=candidate, verdict=verdict, rungs=seen.ended, environment=bench.environment)
