"""A judge for where the best of many is wanted: all have a first look, and only what looks fastest climbs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from kmaint.evaluate.bench import Bench
from kmaint.evaluate.executors.local import Later, cores
from kmaint.evaluate.gate import check, first_look
from kmaint.evaluate.look import Look
from kmaint.records.evaluation import Candidate, Evaluation, Passed, Rung, Slower
from kmaint.records.harness import Harness

RIVALS = 2
"""Candidates that climb at a time, the fastest-looking first: one of them may be refused, and few wait for the GPU."""

First = Callable[[Harness, Candidate, Bench], Evaluation | Look]
Whole = Callable[..., Evaluation]
"""As `kmaint.evaluate.gate.check`."""


class ForTheBest:
    """Judges candidates of one harness; every verdict but `slower` is one of the whole gate.

    A look is compared with the look of what has won: two rough times of one kind, and not a rough one with a measured.
    """

    def __init__(self, first: First = first_look, whole: Whole = check) -> None:
        self._first, self._whole, self._rivals = first, whole, threading.Semaphore(RIVALS)
        self._won: tuple[Candidate, Look] | None = None
        self._lock = threading.Lock()

    def __call__(self, harness: Harness, candidate: Candidate, bench: Bench) -> Evaluation | Later:
        found = self._first(harness, candidate, bench)
        if isinstance(found, Evaluation):
            return found
        if found.losing:
            return _slower(candidate, bench, found, found.losing)
        return Later(1.0 / found.speedup.ratio, partial(self._climb, found))

    def _climb(self, seen: Look, harness: Harness, candidate: Candidate, bench: Bench) -> Evaluation:
        bench = replace(bench, threads=max(bench.threads, cores() // RIVALS))  # all others have had their look
        with self._rivals:
            if why := self._outrun(seen):
                return _slower(candidate, bench, seen, why)
            found = self._whole(harness, candidate, bench, outrun=partial(self._outrun, seen))
        if isinstance(found.verdict, Passed) and found.verdict.win:
            with self._lock:
                if not self._outrun(seen):
                    self._won = candidate, seen
        return found

    def _outrun(self, seen: Look) -> str:
        """Why the candidate need not climb; empty where it looks faster than what has won."""
        if self._won is None or seen.speedup.ratio > self._won[1].speedup.ratio:
            return ""
        candidate, look = self._won
        return f"{seen} by a first look, and {candidate.id}, which looked like {look}, has won"


def _slower(candidate: Candidate, bench: Bench, seen: Look, why: str) -> Evaluation:
    rung = Rung(name="look", passed=False, seconds=0.0, detail=str(seen))
    return Evaluation(candidate=candidate, verdict=Slower(reason=why), rungs=(rung,), environment=bench.environment)
