"""Ideas: asked for once while the turns stay the same, and written down."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kmaint import wire
from kmaint.agent.ideas import Idea, Ideas, waiting
from kmaint.agent.proposal import Parent, Proposal, Request
from kmaint.records.evaluation import Candidate, Plan
from kmaint.records.harness import Harness
from kmaint.records.workload import Json
from tests.agent.conftest import PROFILE

Noted = list[tuple[str, Json]]


def proposal(source: str) -> Proposal:
    return Proposal(plan=Plan(bottleneck="unknown", edit=source, why=""), source=source)


@pytest.fixture
def request_(harness: Harness) -> Request:
    parent = Parent(id=None, source="original", profile=PROFILE, ratio=1.0)
    return Request(harness=harness, parent=parent, history=(), screen=lambda _sources: [])


def pick_last(ideas: Sequence[Idea]) -> Candidate | None:
    sources = [idea.proposal.source for idea in ideas if idea.proposal.source != "bad"]
    if not sources:
        return None
    plan = Plan(bottleneck="unknown", edit="", why="")
    return Candidate(id=sources[-1], source=sources[-1], parent=None, plan=plan, provider="")


def test_the_provider_is_asked_once_and_what_waits_is_read_back(request_: Request) -> None:
    noted: Noted = []
    asked: list[str] = []

    def ask(request: Request) -> list[Proposal]:
        asked.append(request.parent.source)
        return [proposal("a"), proposal("b")]

    ideas = Ideas(note=lambda kind, said: noted.append((kind, said)))
    first, second = (ideas.best([request_], ask, pick_last) for _ in range(2))
    assert first == second
    assert first is not None
    assert (first.id, asked, [kind for kind, _ in noted]) == ("b", ["original"], ["ideas"])
    resumed = Ideas(note=lambda _kind, _said: None, table=waiting(said for _, said in noted))
    assert resumed.table == ideas.table
    assert resumed.best([request_], ask, pick_last) == first
    assert asked == ["original"]


def test_other_turns_have_ideas_of_their_own(request_: Request) -> None:
    asked: list[int] = []

    def ask(request: Request) -> list[Proposal]:
        asked.append(len(asked))
        return [proposal(f"idea {len(asked)}")]

    ideas = Ideas(note=lambda _kind, _said: None)
    ideas.best([request_], ask, pick_last)
    ideas.best([request_, request_], ask, pick_last)
    assert len(asked) == 3
    assert [idea.turn for idea in ideas.table[next(reversed(ideas.table))]] == [0, 1]


def test_what_waits_outlasts_a_want_of_time_and_of_answers(request_: Request) -> None:
    """Both before anything is picked, and where the provider has no answer any more."""
    noted: Noted = []
    ideas = Ideas(note=lambda kind, said: noted.append((kind, said)))
    first = ideas.best([request_], lambda _request: [proposal("a"), proposal("bad")], pick_last)
    table = dict(ideas.table)
    assert ideas.best([request_], lambda _request: [], pick_last, late=lambda: True) is None
    assert ideas.best([request_], lambda _request: [], lambda _ideas: None) is None
    assert (ideas.table, len(noted)) == (table, 1)
    assert ideas.best([request_], lambda _request: [], pick_last) == first


def test_what_comes_too_late_is_kept_and_not_picked(request_: Request) -> None:
    late: list[bool] = []

    def ask(_request: Request) -> list[Proposal]:
        late.append(True)
        return [proposal("a")]

    ideas = Ideas(note=lambda _kind, _said: None)
    assert ideas.best([request_], ask, pick_last, late=lambda: late) is None
    found = ideas.best([request_], ask, pick_last)
    assert found is not None
    assert (found.id, len(late)) == ("a", 1)


def test_where_nothing_of_what_waits_is_taken_the_provider_is_asked_again(request_: Request) -> None:
    answers = iter([[proposal("bad")], [proposal("good")]])
    ideas = Ideas(note=lambda _kind, _said: None)
    assert ideas.best([request_], lambda _request: next(answers), pick_last) is None
    found = ideas.best([request_], lambda _request: next(answers), pick_last)
    assert found is not None
    assert found.id == "good"
    assert wire.load(dict[str, list[Idea]], wire.dump(ideas.table)) == ideas.table
