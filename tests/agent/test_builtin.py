"""The builtin provider: what it tries on a real kernel, and which of it it thinks worth a gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from kmaint.agent.builtin import WORTH, Builtin, note_of, subject_of, variants
from kmaint.agent.kinds import Kind
from kmaint.agent.proposal import Parent, Request, Screen
from kmaint.agent.screening import Screening
from kmaint.agent.transforms.catalogue import TRANSFORMS
from kmaint.evaluate import Bench, Screened
from kmaint.folder import KERNEL
from kmaint.records.evaluation import Bottleneck, Evaluation, Profile
from kmaint.records.harness import Harness
from kmaint.records.lesson import Lesson
from kmaint.records.workload import Json
from tests.agent.conftest import PROFILE, Judged

judged = Judged()


def ranks(edits: Mapping[str, float | None], sources: Sequence[tuple[str, str]]) -> Screen:
    """Ranks by the text that a note starts with; what is not named is as fast as the original."""
    notes = dict(sources)

    def rank(asked: Sequence[str]) -> list[Screened]:
        found = [
            next((ratio for start, ratio in edits.items() if notes.get(source, "").startswith(start)), 1.0)
            for source in asked
        ]
        return [Screened(ratio=ratio, estimated=True) for ratio in found]

    return rank


def request(harness: Harness, screen: Screen, *history: Evaluation, profile: Profile = PROFILE) -> Request:
    source = (harness.folder / KERNEL).read_text()
    parent = Parent(id=None, source=source, profile=profile, ratio=1.0)
    return Request(harness=harness, parent=parent, history=history, screen=screen)


@pytest.fixture(scope="module")
def made(harness: Harness) -> list[tuple[str, str]]:
    """Every variant of merge_state, as source and note."""
    subject = subject_of(request(harness, lambda _sources: []))
    return [(edited.source, edited.note) for _, edited in variants(subject, "latency", TRANSFORMS)]


def test_first_choices_come_first_and_those_for_the_bottleneck_ahead(harness: Harness) -> None:
    subject = subject_of(request(harness, lambda _sources: []))
    bottlenecks: tuple[Bottleneck, ...] = ("latency", "memory", "compute")
    for bottleneck in bottlenecks:
        found = [transform for transform, _ in variants(subject, bottleneck, TRANSFORMS)]
        firsts = list(dict.fromkeys(transform.name for transform in found))
        assert len(firsts) > 1
        assert firsts == [transform.name for transform in found[: len(firsts)]]
        addressed = [bottleneck in transform.addresses for transform in found[: len(firsts)]]
        assert addressed == sorted(addressed, reverse=True)


def test_the_edit_that_screens_best_is_proposed(harness: Harness, made: list[tuple[str, str]]) -> None:
    screen = ranks({"num_warps=8": 1.2, "num_warps=2": 1.3, "num_warps=1": None}, made)
    proposal = Builtin().propose(request(harness, screen))
    assert proposal is not None
    assert (proposal.plan.edit, proposal.plan.expected) == ("launch_parameters", 1.3)
    assert proposal.plan.why.startswith("num_warps=2: ")
    assert dict(made)[proposal.source] == "num_warps=2"


def test_nothing_is_proposed_for_less_than_a_hundredth(harness: Harness, made: list[tuple[str, str]]) -> None:
    assert Builtin().propose(request(harness, ranks({"num_warps=8": 1.009}, made))) is None
    assert Builtin().propose(request(harness, ranks({"num_warps": None}, made))) is None


def test_what_loses_on_a_workload_comes_after_what_loses_on_none(harness: Harness, made: list[tuple[str, str]]) -> None:
    notes = dict(made)

    def screen(least: float) -> Screen:
        known = {
            "num_warps=8": Screened(ratio=1.5, estimated=False, least=least),
            "num_warps=2": Screened(ratio=1.1, estimated=False, least=0.99),
        }
        return lambda asked: [
            known.get(notes.get(source, ""), Screened(ratio=1.0, estimated=False)) for source in asked
        ]

    def taken(least: float) -> str:
        proposal = Builtin().propose(request(harness, screen(least)))
        assert proposal is not None
        return notes[proposal.source]

    assert taken(0.97) == "num_warps=8"
    assert taken(0.90) == "num_warps=2"


def test_a_transform_is_tried_once_on_a_parent(harness: Harness, made: list[tuple[str, str]]) -> None:
    screen = ranks({"num_warps=8": 1.2, "num_warps=2": 1.3}, made)
    first = judged.passed("some source", edit="launch_parameters", expected=1.2)
    assert Builtin().propose(request(harness, screen, first)) is None


def test_a_transform_that_was_wrong_is_not_tried_on_another_parent(
    harness: Harness, made: list[tuple[str, str]]
) -> None:
    screen = ranks({"num_warps=8": 1.2}, made)
    elsewhere = judged.passed("elsewhere", edit="launch_parameters", parent="another", expected=1.2)
    wrong = judged.wrong("wrong", edit="launch_parameters", parent="another")
    assert Builtin().propose(request(harness, screen, elsewhere)) is not None
    assert Builtin().propose(request(harness, screen, elsewhere, wrong)) is None


def test_the_note_of_a_plan_is_read_back_from_its_reason(made: list[tuple[str, str]]) -> None:
    for note in (*dict(made).values(), "num_warps: 256 becomes 512", "multiply by 1 / (rms)"):
        assert all(note_of(f"{note}: {transform.why}") == note for transform in TRANSFORMS)


def test_only_edits_of_the_kinds_that_are_asked_for_are_proposed(harness: Harness, made: list[tuple[str, str]]) -> None:
    asked = request(harness, ranks({"num_warps=8": 1.3, "tl.exp2": 1.2}, made))
    kinds: tuple[tuple[frozenset[Kind], str], ...] = (
        (frozenset({"launch"}), "launch_parameters"),
        (frozenset({"arithmetic"}), "exp2_for_exp"),
    )
    for allowed, edit in kinds:
        proposal = Builtin().propose(replace(asked, kinds=allowed))
        assert proposal is not None
        assert proposal.plan.edit == edit
    assert Builtin().propose(replace(asked, kinds=frozenset({"passes"}))) is None


def test_what_was_proposed_for_the_turn_already_is_not_proposed_again(
    harness: Harness, made: list[tuple[str, str]]
) -> None:
    asked = request(harness, ranks({"num_warps=8": 1.3, "tl.exp2": 1.2}, made))
    first = Builtin().propose(asked)
    assert first is not None
    second = Builtin().propose(replace(asked, besides=(first,)))
    assert second is not None
    assert (first.plan.edit, second.plan.edit) == ("launch_parameters", "exp2_for_exp")


def test_the_very_variant_that_won_before_is_screened_ahead_of_all_others(
    harness: Harness, made: list[tuple[str, str]]
) -> None:
    notes = dict(made)
    won = next(note for note in reversed(notes.values()) if note.startswith("loads and stores"))
    known = Lesson(
        outcome="win",
        operation="state merge",
        arch="sm_90",
        bottleneck="latency",
        edit="cache_hints",
        why=f"{won}: What is read once need not push out what is read again.",
        kernel="another",
        slow="",
        fast="",
        gain=1.4,
    )

    def order(*lessons: Lesson) -> list[str]:
        screened: list[str] = []

        def screen(sources: Sequence[str]) -> list[Screened]:
            screened.extend(sources)
            return [Screened(ratio=1.0, estimated=True) for _ in sources]

        Builtin().propose(replace(request(harness, screen), lessons=lessons))
        listed = dict.fromkeys(notes[source] for source in screened if source in notes)
        return [note for note in listed if not note.startswith("num_warps")]

    assert order().index(won) > 0
    assert order(known).index(won) == 0
    assert sorted(order(known)) == sorted(order())


def test_real_screening_is_done_once_and_written_down(harness: Harness, bench: Bench, profile: Profile) -> None:
    noted: list[tuple[str, Json]] = []
    screen = Screening(harness=harness, bench=bench, note=lambda kind, said: noted.append((kind, said)))
    tile = Builtin(transforms=tuple(one for one in TRANSFORMS if one.name == "tile_programs"))
    proposal = tile.propose(request(harness, screen, profile=profile))
    assert proposal == tile.propose(request(harness, screen, profile=profile))
    assert [kind for kind, _ in noted] == ["screening"]
    best = max(rank.ratio for rank in screen.table.values() if rank.ratio is not None)
    assert (proposal.plan.expected if proposal else None) == (best if best >= WORTH else None)
