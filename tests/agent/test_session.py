"""A session opened from the settings, and again from what the run noted before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kmaint import wire
from kmaint.agent.proposal import Ruling
from kmaint.agent.session import open_session
from kmaint.agent.strategies import STRATEGIES
from kmaint.config import load_config
from kmaint.errors import UsageError
from kmaint.evaluate import Bench, Screened
from kmaint.records.exchange import Exchange, Usage
from kmaint.records.harness import Harness
from kmaint.records.lesson import Lesson
from kmaint.records.run import Budget
from kmaint.records.workload import Json
from kmaint.store import Event
from tests.agent.conftest import PROFILE

SAID = Exchange(role="planner", model="m", prompt="p", answer="a", usage=Usage(requests=1), seconds=1.5)
RULING = Ruling(decision="leave", reason="at the roofline")


def test_what_the_run_noted_is_not_measured_again(harness: Harness, bench: Bench) -> None:
    rank = Screened(ratio=1.25, estimated=True)
    events = [
        Event(number=1, at="", kind="baseline", payload=wire.dump(PROFILE)),
        Event(number=2, at="", kind="screening", payload={"0123456789ab": wire.dump(rank)}),
        Event(number=3, at="", kind="plan", payload={}),
        Event(number=4, at="", kind="exchange", payload=wire.dump(SAID)),
        Event(number=5, at="", kind="ruling", payload={"0123456789ab": wire.dump(RULING)}),
        Event(number=6, at="", kind="lessons", payload=[]),
        Event(number=7, at="", kind="counted", payload={"0123456789ab": wire.dump(PROFILE)}),
    ]
    said: list[str] = []
    config = load_config(strategy="greedy", candidates=7, minutes=3.0)
    session = open_session(harness, bench, config, note=lambda kind, _payload: said.append(kind), events=events)
    assert (session.baseline, session.ranks) == (PROFILE, {"0123456789ab": rank})
    assert (session.strategy, session.dialogue.budget, session.provider.name) == (
        STRATEGIES["greedy"],
        Budget(candidates=7, minutes=3.0, tokens=400_000),
        "builtin",
    )
    assert (session.dialogue.exchanges, session.rulings) == ([SAID], {"0123456789ab": RULING})
    assert session.counted == {"0123456789ab": PROFILE}
    assert said == []


def test_a_resumed_run_knows_the_lessons_that_it_began_with(harness: Harness, bench: Bench) -> None:
    lesson = Lesson(
        outcome="win",
        operation="norm",
        arch="sm_90",
        bottleneck="memory",
        edit="one_pass",
        why="",
        kernel="a",
        slow="",
        fast="",
    )
    later = replace(lesson, kernel="b")
    profile = Event(number=1, at="", kind="baseline", payload=wire.dump(PROFILE))
    noted: list[Event] = []

    def note(kind: str, payload: Json) -> None:
        noted.append(Event(number=2, at="", kind=kind, payload=payload))

    first = open_session(harness, bench, load_config(), note=note, events=[profile], remember=lambda: [lesson])
    again = open_session(harness, bench, load_config(), events=[profile, *noted], remember=lambda: [later, lesson])
    assert first.lessons == again.lessons == (lesson,)
    assert [(event.kind, event.payload) for event in noted] == [("lessons", [wire.digest(lesson)])]


def test_a_wrong_setting_is_answered_before_anything_slow(harness: Harness, bench: Bench) -> None:
    with pytest.raises(UsageError) as error:
        open_session(harness, bench, load_config(strategy="widely"))
    assert str(error.value) == "no strategy 'widely'; there are greedy, lines, beam, tree, islands, bandit"
