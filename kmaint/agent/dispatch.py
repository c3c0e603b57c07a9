"""A dispatch table of what a run has found: each winner where it wins, what was shipped everywhere else."""

from __future__ import annotations

from dataclasses import dataclass

from kmaint import wire
from kmaint.agent.guards import Table, best_table
from kmaint.agent.proposal import Proposal, Request
from kmaint.agent.transforms.base import Edited, NotApplicable
from kmaint.agent.transforms.branches import Branch, compose
from kmaint.records.evaluation import Evaluation, Passed, Plan
from kmaint.records.timing import Timing

DISPATCH = "dispatch"
"""The name of the edit."""
WORTH = 1.01
"""Over the best candidate that may stand by itself: less is not worth a second path to maintain."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A candidate that passed, and original over candidate of each workload as the gate measured it."""

    evaluation: Evaluation
    timing: Timing

    @property
    def ratios(self) -> dict[str, float]:
        """By workload."""
        return {one.workload: one.speedup.ratio for one in self.timing.workloads}


def dispatched(request: Request) -> Proposal | None:
    """The table over all that was measured so far, where it beats every candidate alone and was not judged yet.

    A table is a finish, not a step: it is made from candidates that change the original, never from another table.
    """
    timed = _timed(request)
    table = best_table(request.harness.contract, [one.ratios for one in timed])
    if table is None or table.expected < WORTH * _best_alone(timed):
        return None
    made = _composed(request, table, timed)
    if made is None or wire.digest(made.source) in {one.candidate.id for one in request.history}:
        return None
    return Proposal(plan=_plan(made, table, timed), source=made.source)


def _timed(request: Request) -> list[Timed]:
    found = []
    for one in request.history:
        match one.verdict:
            case Passed(timing=Timing() as timing) if one.candidate.plan.edit != DISPATCH:
                found.append(Timed(evaluation=one, timing=timing))
            case _:
                continue
    return found


def _best_alone(timed: list[Timed]) -> float:
    """The best ratio of a candidate that the gate would let stand for all sizes; the original's is 1."""
    wins = [
        one.timing.speedup.ratio
        for one in timed
        if isinstance(one.evaluation.verdict, Passed) and one.evaluation.verdict.win
    ]
    return max([1.0, *wins])


def _composed(request: Request, table: Table, timed: list[Timed]) -> Edited | None:
    branches = [
        Branch(guard=guard.text, name=guard.name, source=timed[place].evaluation.candidate.source)
        for guard, place in table.branches
    ]
    original = request.harness.replaced.read_text()
    try:
        return compose(original, request.harness.entry, branches)
    except NotApplicable:
        return None


def _plan(made: Edited, table: Table, timed: list[Timed]) -> Plan:
    parts = [
        f"{timed[place].evaluation.candidate.plan.edit} ({timed[place].evaluation.candidate.id}) where {guard.text}"
        for guard, place in table.branches
    ]
    return Plan(
        bottleneck=timed[table.branches[0][1]].evaluation.candidate.plan.bottleneck,
        edit=DISPATCH,
        why=f"{', '.join(parts)}; as shipped elsewhere: no candidate is the fastest at every size",
        anchor=made.anchor,
        expected=table.expected,
    )
