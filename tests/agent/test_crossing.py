"""Crossover: the partner's transforms, as it has them, on another parent."""

from __future__ import annotations

from dataclasses import replace

from kmaint.agent.builtin import subject_of
from kmaint.agent.crossing import AND, crossed
from kmaint.agent.proposal import Parent, Proposal, Request
from kmaint.agent.transforms.base import Edited
from kmaint.agent.transforms.catalogue import TRANSFORMS
from kmaint.evaluate import Screened
from kmaint.records.evaluation import Candidate, Evaluation
from kmaint.records.harness import Harness
from tests.agent.conftest import PROFILE, Judged

judged = Judged()

BY_NAME = {transform.name: transform for transform in TRANSFORMS}


def asked(harness: Harness, source: str, ratio: float | None = 1.1) -> Request:
    parent = Parent(id=None, source=source, profile=PROFILE, ratio=1.0)
    rank = Screened(ratio=ratio, estimated=True)
    return Request(harness=harness, parent=parent, history=(), screen=lambda sources: [rank] * len(sources))


def edit(request: Request, name: str, number: int = 0) -> Edited:
    return BY_NAME[name].apply(subject_of(request))[number]


def put(request: Request) -> Proposal | None:
    return crossed(request, subject_of(request), TRANSFORMS)


def judged_as(edited: Edited, name: str, parent: str | None = None) -> Evaluation:
    one = judged.passed(edited.source, parent=parent, edit=name, expected=1.2)
    plan = replace(one.candidate.plan, why=f"{edited.note}: because")
    return replace(one, candidate=replace(one.candidate, plan=plan))


def parent_of(candidate: Candidate) -> Parent:
    return Parent(id=candidate.id, source=candidate.source, profile=PROFILE, ratio=1.2)


def crossing(harness: Harness, *, ratio: float | None = 1.1, parent_edit: str = "launch_parameters") -> Request:
    """An edit of the original, to be crossed with the third variant of another."""
    request = asked(harness, (harness.folder / "kernel.py").read_text(), ratio)
    own = judged_as(edit(request, parent_edit), parent_edit)
    other = judged_as(edit(request, "launch_parameters", 2), "launch_parameters")
    return replace(request, parent=parent_of(own.candidate), partner=parent_of(other.candidate), history=(own, other))


def test_the_partners_own_variant_is_put_onto_the_parent(harness: Harness) -> None:
    request = crossing(harness, parent_edit="exp2_for_exp")
    proposal = put(request)
    assert proposal is not None
    note = request.history[1].candidate.plan.why.split(": ")[0]
    assert (proposal.plan.edit, proposal.plan.expected) == ("launch_parameters", 1.1)
    assert proposal.plan.why.startswith(note)
    assert "exp2" in proposal.source
    assert note.split(",")[0].split("=")[-1] in proposal.source


def test_several_edits_are_crossed_in_the_partners_order(harness: Harness) -> None:
    request = asked(harness, (harness.folder / "kernel.py").read_text())
    first = judged_as(edit(request, "exp2_for_exp"), "exp2_for_exp")
    deeper = replace(request, parent=parent_of(first.candidate))
    second = judged_as(edit(deeper, "cache_hints"), "cache_hints", first.candidate.id)
    own = judged_as(edit(request, "launch_parameters"), "launch_parameters")
    request = replace(
        request,
        parent=parent_of(own.candidate),
        partner=parent_of(second.candidate),
        history=(first, second, own),
    )
    proposal = put(request)
    assert proposal is not None
    assert proposal.plan.edit == AND.join(("exp2_for_exp", "cache_hints"))


def test_there_is_nothing_to_cross_where_the_parent_has_it_all(harness: Harness) -> None:
    assert put(crossing(harness)) is None


def test_what_does_not_build_is_not_proposed(harness: Harness) -> None:
    assert put(crossing(harness, parent_edit="exp2_for_exp", ratio=None)) is None


def test_a_models_own_words_cannot_be_crossed(harness: Harness) -> None:
    request = crossing(harness, parent_edit="exp2_for_exp")
    own, other = request.history
    plan = replace(other.candidate.plan, edit="use eight warps")
    other = replace(other, candidate=replace(other.candidate, plan=plan))
    assert put(replace(request, history=(own, other))) is None
