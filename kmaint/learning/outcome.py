"""How far one attempt got, and how many of many got how far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kmaint.records.evaluation import Dishonest, Evaluation, NotBuilt, Passed, RungName, speedup

BEFORE_BUILT: frozenset[RungName] = frozenset({"lint", "compile"})


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Each holds only where the ones before it do. Right means that no result was found wrong, honest that no trick
    was found; faster, that the whole interval lies above 1; accepted, that the gate calls it a win.
    """

    built: bool
    right: bool
    honest: bool
    timed: bool
    faster: bool
    accepted: bool


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """How many attempts there were, and how many got how far: no number is larger than the one before it."""

    attempted: int
    built: int
    right: int
    honest: int
    timed: int
    faster: int
    accepted: int


def outcome_of(evaluation: Evaluation) -> Outcome:
    """What the verdict says of each stage."""
    verdict, measured = evaluation.verdict, speedup(evaluation)
    honest = isinstance(verdict, Passed)
    faster = measured is not None and measured.low > 1.0
    return Outcome(
        built=_built(evaluation),
        right=isinstance(verdict, Passed | Dishonest) and _built(evaluation),
        honest=honest,
        timed=measured is not None,
        faster=faster,
        accepted=faster and isinstance(verdict, Passed) and verdict.win,
    )


def _built(evaluation: Evaluation) -> bool:
    """Whether it got past the compiler; one that crashed or hung there did not."""
    failed = next((rung.name for rung in evaluation.rungs if not rung.passed), None)
    return not isinstance(evaluation.verdict, NotBuilt) and failed not in BEFORE_BUILT


def funnel(evaluations: Iterable[Evaluation]) -> Funnel:
    """The outcomes, counted."""
    outcomes = [outcome_of(one) for one in evaluations]
    counts = {stage: sum(getattr(one, stage) for one in outcomes) for stage in Outcome.__dataclass_fields__}
    return Funnel(attempted=len(outcomes), **counts)
