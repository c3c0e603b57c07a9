"""Which of two attempts at the same source is the better one beyond doubt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kmaint.learning.outcome import outcome_of
from kmaint.records.evaluation import Evaluation, Passed, Slower, speedup
from kmaint.records.timing import Timing


@dataclass(frozen=True, kw_only=True)
class Preference:
    """Two attempts from one parent, and what is said of each."""

    chosen: Evaluation
    rejected: Evaluation
    why_chosen: str
    why_rejected: str


def preferences(evaluations: Sequence[Evaluation]) -> Iterator[Preference]:
    """Each attempt that something from the same parent beats, beside the best that does, in the order of the attempts.

    So an attempt is turned down once at most, and a parent with many children does not drown the others.
    """
    siblings: dict[str | None, list[Evaluation]] = defaultdict(list)
    for one in evaluations:
        siblings[one.candidate.parent].append(one)
    for rejected in evaluations:
        better = [one for one in siblings[rejected.candidate.parent] if is_better(one, rejected)]
        if better:
            yield _preference(max(better, key=_rank), rejected)


def is_better(one: Evaluation, other: Evaluation) -> bool:
    """Whether the first is preferred: right where the other is not, or faster by more than both measurements' doubt.

    One that is slower than the original is preferred to nothing, and one that the gate does not accept never to one
    that it accepts.
    """
    first, second = _timing(one), _timing(other)
    if not isinstance(one.verdict, Passed) or (first and first.speedup.high < 1.0):
        return False
    if isinstance(other.verdict, Slower):  # nobody knows whether it is right
        return outcome_of(one).accepted
    if not isinstance(other.verdict, Passed):
        return True
    if first is None or second is None or outcome_of(other).accepted > outcome_of(one).accepted:
        return False
    apart = first.speedup.low > second.speedup.high
    return apart and first.speedup.ratio / second.speedup.ratio > 1.0 + max(first.noise_floor, second.noise_floor)


def _timing(evaluation: Evaluation) -> Timing | None:
    return evaluation.verdict.timing if isinstance(evaluation.verdict, Passed) else None


def _rank(evaluation: Evaluation) -> tuple[bool, float]:
    found = speedup(evaluation)
    return outcome_of(evaluation).accepted, found.low if found else 0.0


def _preference(chosen: Evaluation, rejected: Evaluation) -> Preference:
    return Preference(chosen=chosen, rejected=rejected, why_chosen=reason(chosen), why_rejected=reason(rejected))


def reason(evaluation: Evaluation) -> str:
    """The verdict in one line."""
    verdict, found = evaluation.verdict, speedup(evaluation)
    if not isinstance(verdict, Passed):
        return f"{verdict.kind}: {' '.join(verdict.reason.split())}"
    if found is None:
        return f"right ({verdict.numerics.kind}), not timed"
    times = f"{found.ratio:.3f} times as fast as the original ({found.low:.3f} to {found.high:.3f})"
    return f"right ({verdict.numerics.kind}), {times}{'' if verdict.win else ', not accepted'}"
