"""Crossover for transforms: what a partner was made by, made of another parent where it still applies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kmaint.agent.lineage import descent
from kmaint.agent.proposal import Proposal, Request
from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.records.evaluation import Candidate, Plan

AND = " + "
"""Between the names of the transforms that one candidate was crossed by."""


def crossed(request: Request, subject: Subject, transforms: Sequence[Transform]) -> Proposal | None:
    """The partner's transforms that the parent, the subject, lacks, put onto it; None where that leads to nothing."""
    by_name = {transform.name: transform for transform in transforms}
    made, first = [], None
    for name, why in _lacked(request):
        edited = _like(by_name[name], subject, why) if name in by_name else None
        if edited is not None:
            subject, first = replace(subject, source=edited.source), first or edited
            made.append((name, edited.note))
    if first is None:
        return None
    (rank,) = request.screen([subject.source])
    if rank.ratio is None:
        return None
    plan = Plan(
        bottleneck=request.parent.profile.bottleneck,
        edit=AND.join(name for name, _ in made),
        why=f"{'; '.join(note for _, note in made)}: as {request.partner and request.partner.id} has it",
        anchor=first.anchor,
        expected=rank.ratio,
    )
    return Proposal(plan=plan, source=subject.source)


def _lacked(request: Request) -> list[tuple[str, str]]:
    """Each edit in the partner's descent whose transform is in none of the parent's, with the words for it."""
    assert request.partner is not None  # only then is anything crossed
    own = {name for one in descent(request.parent.id, request.history) for name in _names(one)}
    line = reversed(descent(request.partner.id, request.history))
    return [(name, one.plan.why) for one in line for name in _names(one) if name not in own]


def _names(candidate: Candidate) -> list[str]:
    """The transforms of one candidate: several, where it was crossed itself."""
    return candidate.plan.edit.split(AND)


def _like(transform: Transform, subject: Subject, why: str) -> Edited | None:
    """The variant whose note stands in those words, else the transform's first; None where it does not apply."""
    try:
        made = transform.apply(subject)
    except NotApplicable:
        return None
    # The longest: "num_warps=1" stands in "num_warps=16" as well.
    return max((edited for edited in made if edited.note in why), key=lambda one: len(one.note), default=made[0])
