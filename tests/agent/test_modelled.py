"""A played model in all four roles: on a real harness, through the real gate, over real HTTP."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from kmaint import wire
from kmaint.agent.chain import improve, original
from kmaint.agent.dialogue import Dialogue, recalled
from kmaint.agent.proposal import Judge, Parent, Request, Ruling
from kmaint.agent.providers import choose_provider
from kmaint.agent.session import open_session
from kmaint.config import load_config
from kmaint.errors import MissingError
from kmaint.evaluate import Bench, Screened
from kmaint.records.evaluation import Evaluation
from kmaint.records.harness import Harness
from kmaint.records.workload import Json
from kmaint.store import Event
from tests.agent.conftest import PROFILE, Judged
from tests.agent.models.played import Broken, Play, Server, playing, priced, prompt_of

Noted = list[tuple[str, Json]]

OLD, BROKEN, NEW = "tl.exp(p_lse) / out_se", "tl.exp(p_lse) * * out_se", "tl.exp(p_lse) * (1.0 / out_se)"


def planned(edit: str) -> Play:
    why = "a multiplication is cheaper than a division"
    return {"bottleneck": "latency", "edit": edit, "why": why, "first_line": 59, "last_line": 60}


PLAN = planned("one reciprocal")


def changed(old: str, new: str, **more: str) -> Play:
    return {"changes": [{"old": old, "new": new}], **more}


def model_that_mends(prompt: str) -> Play:
    """Slips in its code, and mends that when it reads why."""
    if prompt.startswith("You plan"):
        return PLAN
    if prompt.startswith("You apply"):
        return changed(OLD, BROKEN)
    if prompt.startswith("You mend"):
        assert "Why it was turned down: does not parse: line 59: invalid syntax" in prompt
        return changed(BROKEN, NEW, cause="an operator too many")
    assert "right, not timed" in prompt
    return {"decision": "leave", "reason": "one division was all there was"}


Run = Callable[..., list[Evaluation]]


@pytest.fixture
def run(harness: Harness, bench: Bench) -> Run:
    """A run with the served model until it ends; `noted` gets its events, and holds those before a kill.

    What screening thinks of the sources is in the events from the start: that is another file's subject.
    """
    endless = (f"{BROKEN} + 0", f"{BROKEN} + 1 + 0")
    sources = [original(harness).replace(OLD, new) for new in (BROKEN, NEW, *endless)]
    ranks = {wire.digest(source): Screened(ratio=1.1, estimated=True) for source in sources}

    def start(server: Server, noted: Noted, history: Sequence[Evaluation] = (), **settings: object) -> list[Evaluation]:
        asked = {"provider": "openai", "model": "made-up-7b", "base_url": f"{server.url}/v1", "strategy": "greedy"}
        config = load_config(**{**asked, **settings})
        known = [("baseline", wire.dump(PROFILE)), ("screening", wire.dump(ranks)), *noted]
        events = [Event(number=n, at="", kind=kind, payload=said) for n, (kind, said) in enumerate(known)]
        note = lambda kind, said: noted.append((kind, said))  # noqa: E731
        return list(improve(open_session(harness, bench, config, note=note, events=events), history))

    return start


@pytest.mark.slow
def test_a_plan_a_slip_its_repair_and_a_judge_improve_a_real_kernel(run: Run) -> None:
    noted: Noted = []
    with playing(answer=model_that_mends) as server:
        found = run(server, noted, candidates=3)
    slip, mended = found
    assert [one.verdict.kind for one in found] == ["not_built", "passed"]
    assert NEW in mended.candidate.source
    assert (mended.candidate.parent, mended.candidate.provider) == (slip.candidate.id, "openai")
    assert (slip.candidate.plan.edit, slip.candidate.plan.anchor) == ("one reciprocal", (59, 60))
    assert (mended.candidate.plan.edit, mended.candidate.plan.why) == ("one reciprocal", "an operator too many")
    said = recalled(payload for kind, payload in noted if kind == "exchange")
    assert [(one.role, one.candidate, one.fault) for one in said[:4]] == [
        ("planner", None, ""),
        ("coder", slip.candidate.id, ""),
        ("repair", mended.candidate.id, ""),
        ("judge", mended.candidate.id, ""),
    ]
    # The judge left that line, so the last turn was the original's again, where the model repeats itself in vain.
    assert [one.role for one in said[4:]] == ["planner", "coder", "coder", "coder"]
    assert {one.fault for one in said[5:]} == {"this very source was judged before in this run: do something else"}
    assert noted[-1][1] == {"reason": "the provider has no proposal left", "candidates": 2}


def test_a_killed_run_does_not_ask_again_what_was_answered(run: Run) -> None:
    """Killed between the answer and the verdict: the plan and the code are read back from the events."""
    noted: Noted = []
    with playing(answer=model_that_mends) as server:
        (slip,) = run(server, noted, candidates=1)
        before = [event for event in noted if event[0] == "exchange"]
        asked = len(server.requests)
        resumed: Noted = list(before)
        assert [one.candidate for one in run(server, resumed, candidates=1)] == [slip.candidate]
        assert len(server.requests) == asked == 2


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"tokens": 3000}, "the budget of 3,000 tokens is spent"),
        ({"candidates": 2}, "the budget of 2 candidates is spent"),
    ],
)
def test_a_model_that_goes_on_for_ever_is_stopped_by_each_budget(run: Run, budget: dict[str, int], reason: str) -> None:
    """Each of its candidates is another that does not parse."""
    numbers = itertools.count()

    def endless(prompt: str) -> Play:
        if prompt.startswith("You plan"):
            return PLAN
        if prompt.startswith("You apply"):
            return changed(OLD, f"{BROKEN} + {next(numbers)}")
        return changed("* * out_se", f"* * out_se + {next(numbers)}", cause="not sure")

    noted: Noted = []
    with playing(answer=endless) as server:
        found = run(server, noted, **budget)
        assert {one.verdict.kind for one in found} == {"not_built"}
        assert noted[-1] == ("stopped", {"reason": reason, "candidates": len(found)})
        assert len(server.requests) <= 4
        more: Noted = [event for event in noted if event[0] == "exchange"]
        assert run(server, more, found, **budget) == []
        assert more[-1][1] == {"reason": reason, "candidates": len(found)}


@pytest.mark.parametrize("strategy", ["greedy", "beam"])
def test_a_model_that_answers_late_is_cut_short_by_the_minutes(run: Run, strategy: str) -> None:
    """Its plan comes in time, its code does not; ten minutes are what an answer may take otherwise."""
    over = threading.Event()

    def late(prompt: str) -> Play:
        if prompt.startswith("You plan"):
            return PLAN
        over.wait(30.0)
        return changed(OLD, BROKEN)

    noted: Noted = []
    with playing(answer=late) as server:
        started = time.monotonic()
        assert run(server, noted, minutes=0.1, strategy=strategy) == []
        took_s = time.monotonic() - started
        over.set()
        assert 6.0 <= took_s < 12.0
        assert noted[-1] == ("stopped", {"reason": "the budget of 0.1 minutes is spent", "candidates": 0})
        plan, code = recalled(payload for kind, payload in noted if kind == "exchange")
        assert (plan.role, plan.fault, code.role) == ("planner", "", "coder")
        assert "does not answer: nothing within" in code.fault
        again: Noted = [event for event in noted if event[0] == "exchange"]
        (slip,) = run(server, again, minutes=5.0, candidates=1)
        assert (slip.verdict.kind, len(server.requests)) == ("not_built", 3), (
            "the plan was read back, the code asked for"
        )


def test_a_model_that_costs_money_is_asked_no_more_when_it_is_spent(run: Run) -> None:
    """Twelve cents an answer, in the middle of a turn of several ideas."""
    noted: Noted = []
    numbers = itertools.count()

    def answer(prompt: str) -> Play:
        if prompt.startswith("You plan"):
            return planned(f"one reciprocal, number {next(numbers)}")
        return changed(OLD, BROKEN)

    with priced(token_usd=1e-4), playing(answer=answer) as server:
        run(server, noted, strategy="beam", cost=0.3)
        assert len(server.requests) == 3
    said = recalled(payload for kind, payload in noted if kind == "exchange")
    assert [one.usage.cost_usd for one in said] == [pytest.approx(0.12)] * 3
    assert noted[-1][1] == {"reason": "the budget of $0.3 is spent", "candidates": 1}


def test_a_model_that_only_talks_is_a_recorded_fault(run: Run) -> None:
    noted: Noted = []
    with playing("I would rather talk.") as server:
        assert run(server, noted) == []
    said = recalled(payload for kind, payload in noted if kind == "exchange")
    assert [one.role for one in said] == ["planner"] * 3
    assert all(one.fault and one.answer == "I would rather talk." for one in said)


def test_a_model_that_is_gone_ends_the_run_with_an_error_and_the_next_goes_on(run: Run) -> None:
    noted: Noted = []
    with playing(PLAN, Broken(status=401)) as server, pytest.raises(MissingError):
        run(server, noted)
    assert [kind for kind, _ in noted] == ["lessons", "exchange", "exchange"]
    with playing(answer=model_that_mends) as server:
        assert [one.verdict.kind for one in run(server, noted, candidates=1)] == ["not_built"]
        assert [request["messages"][-1]["content"][:9] for request in server.requests] == ["You apply"]


def test_a_plan_of_a_kind_that_the_profile_rules_out_is_asked_for_again(harness: Harness) -> None:
    bound = replace(PROFILE, bottleneck="compute", estimated=False)
    parent = Parent(id=None, source=original(harness), profile=bound, ratio=1.0)
    request = Request(harness=harness, parent=parent, history=(), screen=lambda _sources: [])
    dialogue = Dialogue()
    lines = {"first_line": 44, "last_line": 50}
    wider: Play = {"bottleneck": "compute", "edit": "wider loads", "kind": "access", "why": "fewer", **lines}
    with playing(wider, PLAN, changed(OLD, NEW)) as server:
        config = load_config(provider="openai", model="made-up-7b", base_url=f"{server.url}/v1")
        proposal = choose_provider(config, dialogue).propose(request)
    assert proposal is not None
    assert proposal.plan.edit == "one reciprocal"
    assert [(one.role, bool(one.fault)) for one in dialogue.exchanges] == [
        ("planner", True),
        ("planner", False),
        ("coder", False),
    ]
    assert "It cannot be used: 'wider loads' is an edit of the kind access" in prompt_of(server.requests[1])


def test_what_a_judge_would_refine_is_told_to_the_planner(harness: Harness) -> None:
    passed = Judged().passed(original(harness).replace(OLD, NEW), measured=(1.2, 1.1))
    parent = Parent(id=passed.candidate.id, source=passed.candidate.source, profile=PROFILE, ratio=1.1)
    request = Request(harness=harness, parent=parent, history=(passed,), screen=lambda _sources: [])
    words: Play = {"decision": "refine", "reason": "the second division is left"}
    with playing(words, PLAN, changed("tl.exp(s_lse) / out_se", "tl.exp(s_lse) * (1.0 / out_se)")) as server:
        config = load_config(provider="openai", model="made-up-7b", base_url=f"{server.url}/v1")
        provider = choose_provider(config, Dialogue())
        assert isinstance(provider, Judge)
        assert provider.rule(harness, PROFILE, passed) == Ruling(
            decision="refine", reason="the second division is left"
        )
        assert provider.propose(request) is not None
    assert f"said of {parent.id}: the second division is left" in prompt_of(server.requests[1])
