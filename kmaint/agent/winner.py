"""Which candidate a run is for: a measured lead counts by its lower bound, an estimated one only where none is."""

from __future__ import annotations

from collections.abc import Sequence

from kmaint.records.evaluation import Evaluation, Passed
from kmaint.records.timing import Timing


def lead(evaluation: Evaluation) -> float | None:
    """Original over candidate: the lower bound where it was timed, else screening's estimate; None where it failed."""
    match evaluation.verdict:
        case Passed(timing=Timing(speedup=speedup)):
            return speedup.low
        case Passed():
            return evaluation.candidate.plan.expected
        case _:
            return None


def ranked(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """The measured wins, the best first. Where nothing at all was timed: what passed with an estimate above 1.

    The latter claim nothing: their verdicts hold no timing, and only `candidate.plan.expected` says why one is chosen.
    """
    passed = [one for one in evaluations if isinstance(one.verdict, Passed)]
    timed = [one for one in passed if isinstance(one.verdict, Passed) and one.verdict.timing]
    if timed:
        passed = [one for one in timed if isinstance(one.verdict, Passed) and one.verdict.win]
    ahead = [one for one in passed if timed or (lead(one) or 0.0) > 1.0]
    return sorted(ahead, key=lambda one: lead(one) or 0.0, reverse=True)


def choose_winner(evaluations: Sequence[Evaluation]) -> Evaluation | None:
    """The best of them; None where there is none."""
    return next(iter(ranked(evaluations)), None)
