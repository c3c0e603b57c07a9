"""The provider that needs no model: the catalogue of transforms, screened on the parent, the most promising first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kmaint import wire
from kmaint.agent.crossing import crossed
from kmaint.agent.dispatch import dispatched
from kmaint.agent.kinds import kind_of
from kmaint.agent.memory import weights
from kmaint.agent.proposal import Proposal, Request
from kmaint.agent.transforms.base import Edited, NotApplicable, Subject, Transform
from kmaint.agent.transforms.catalogue import SPACES, TRANSFORMS
from kmaint.agent.tuning import Tuning
from kmaint.evaluate import Screened
from kmaint.records.evaluation import Bottleneck, Dishonest, Plan, Wrong

WORTH = 1.01
"""An edit has to look at least this much faster than its parent: less is within the noise of screening."""

MOST_VARIANTS = 36
"""Screened for one parent, at about a second each."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to apply one transform to the parent, as screening ranks it against the original."""

    transform: Transform
    edited: Edited
    rank: Screened

    @property
    def ratio(self) -> float:
        return self.rank.ratio or 0.0


@dataclass(frozen=True, kw_only=True)
class Builtin:
    """Proposes the best variant of a transform that was not tried on the parent yet.

    Working from a candidate that passed, it combines: transform B on the best source of transform A.
    """

    name: ClassVar[str] = "builtin"
    repairs: ClassVar[bool] = False
    plans: ClassVar[bool] = True
    transforms: tuple[Transform, ...] = TRANSFORMS

    def propose(self, request: Request) -> Proposal | None:
        """A dispatch table where one pays; else the untried edit that screens best, if it is worth a gate.

        With a partner, what that one was made by is put onto the parent, whatever screening thinks of it.
        """
        table = dispatched(request)
        if table is not None and table not in request.besides:
            return table
        subject = subject_of(request)
        if request.partner is not None:
            return crossed(request, subject, self.transforms)
        tried = _tried(request)
        allowed = [one for one in self.transforms if request.kinds is None or kind_of(one.name) in request.kinds]
        untried = _by_record(request, [transform for transform in allowed if transform.name not in tried])
        listed = [transform for transform in untried if transform.name not in SPACES]
        edits = _warmed(request, variants(subject, request.parent.profile.bottleneck, listed))[:MOST_VARIANTS]
        ranked = [*_searched(request, subject, untried, edits), *_ranked(request, edits)]
        least = WORTH * _ratio_of_parent(request) if ranked else 0.0
        worth = [variant for variant in ranked if variant.ratio >= least]
        if not worth:
            return None
        best = max(worth, key=lambda variant: variant.rank.standing)
        return Proposal(plan=_plan(best, request.parent.profile.bottleneck), source=best.edited.source)


def subject_of(request: Request) -> Subject:
    """The parent's source as the transforms take it."""
    harness = request.harness
    return Subject(
        source=request.parent.source,
        kernel=harness.kernel,
        entry=harness.entry,
        contract=harness.contract,
        bytes_per_program=request.parent.profile.bytes_per_program,
        resources=max(
            (one for one in request.parent.profile.resources if one.kernel == harness.kernel),
            key=lambda one: one.registers,
            default=None,
        ),
    )


def _by_record(request: Request, transforms: Sequence[Transform]) -> list[Transform]:
    """Those that won in cases like this first, those that were traps last."""
    says = weights(request.lessons)
    return sorted(transforms, key=lambda transform: -says.get(transform.name, 0.0))


def _warmed(request: Request, edits: Sequence[tuple[Transform, Edited]]) -> list[tuple[Transform, Edited]]:
    """The very variants that won before come first, so that a cut at MOST_VARIANTS leaves them in."""
    won = {(one.edit, note_of(one.why)) for one in request.lessons if one.outcome == "win"}
    return sorted(edits, key=lambda pair: (pair[0].name, pair[1].note) not in won)


def variants(
    subject: Subject, bottleneck: Bottleneck, transforms: Sequence[Transform]
) -> list[tuple[Transform, Edited]]:
    """What each transform makes of the subject: first choices first, those that address the bottleneck ahead."""
    ordered = sorted(transforms, key=lambda transform: bottleneck not in transform.addresses)
    made = [(transform, _applied(transform, subject)) for transform in ordered]
    # By rounds, so that a cut at MOST_VARIANTS takes the later choices of all before the first choice of any.
    rounds = max((len(edits) for _, edits in made), default=0)
    return [(transform, edits[n]) for n in range(rounds) for transform, edits in made if n < len(edits)]


def _applied(transform: Transform, subject: Subject) -> list[Edited]:
    try:
        return transform.apply(subject)
    except NotApplicable:
        return []


def _ranked(request: Request, edits: Sequence[tuple[Transform, Edited]]) -> Iterator[Variant]:
    """The variants that build, with their ratios; what was judged already is left out."""
    judged = {evaluation.candidate.id for evaluation in request.history}
    fresh = [(transform, edited) for transform, edited in edits if wire.digest(edited.source) not in judged]
    ranks = request.screen([edited.source for _, edited in fresh])
    for (transform, edited), rank in zip(fresh, ranks, strict=True):
        if rank.ratio is not None:
            yield Variant(transform=transform, edited=edited, rank=rank)


def _searched(
    request: Request, subject: Subject, transforms: Sequence[Transform], edits: Sequence[tuple[Transform, Edited]]
) -> Iterator[Variant]:
    """The points of each grid that the search came by, with their ratios; what was judged already is left out.

    `edits` are to be screened anyway: they go along with its first round, since a round costs the start of a process.
    """
    judged = {evaluation.candidate.id for evaluation in request.history}
    along = [edited.source for _, edited in edits if wire.digest(edited.source) not in judged]

    def rank(sources: Sequence[str]) -> list[float | None]:
        ranks = request.screen([*sources, *along])
        along.clear()
        return [rank.ratio for rank in ranks[: len(sources)]]

    for transform in transforms:
        if transform.name in SPACES:
            try:
                space = SPACES[transform.name](subject)
            except NotApplicable:
                continue
            notes = _winning_notes(request, transform)
            tuning = Tuning(space=space, today=subject.resources, notes=notes, scale=_ratio_of_parent(request))
            found = [one.edited for one in tuning.run(rank) if one.ratio is not None]
            fresh = [edited for edited in found if wire.digest(edited.source) not in judged]
            for edited, known in zip(fresh, request.screen([one.source for one in fresh]), strict=True):
                yield Variant(transform=transform, edited=edited, rank=known)


def _winning_notes(request: Request, transform: Transform) -> list[str]:
    """What the transform did where it won before, by the lessons of earlier runs."""
    return [
        note_of(lesson.why) for lesson in request.lessons if lesson.outcome == "win" and lesson.edit == transform.name
    ]


def _ratio_of_parent(request: Request) -> float:
    """By screening where it ranks the parent: two ranks compare better than a rank and a measurement."""
    if request.parent.id is None:
        return 1.0
    (rank,) = request.screen([request.parent.source])
    return rank.ratio or request.parent.ratio


def _tried(request: Request) -> set[str]:
    """Names of the transforms judged on this parent or proposed for it, and of those that were wrong on any."""
    judged = {
        one.candidate.plan.edit
        for one in request.history
        if one.candidate.parent == request.parent.id or isinstance(one.verdict, Wrong | Dishonest)
    }
    return judged | {proposal.plan.edit for proposal in request.besides}


def note_of(why: str) -> str:
    """What a plan of this provider changed, out of its reason."""
    found = re.match(r"(.*?): [A-Z]", why)
    return found.group(1) if found else why


def _plan(variant: Variant, bottleneck: Bottleneck) -> Plan:
    transform = variant.transform
    addressed = bottleneck if bottleneck in transform.addresses or not transform.addresses else transform.addresses[0]
    return Plan(
        bottleneck=addressed,
        edit=transform.name,
        why=f"{variant.edited.note}: {transform.why}",
        anchor=variant.edited.anchor,
        expected=variant.ratio,
    )
