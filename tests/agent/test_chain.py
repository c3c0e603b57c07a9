"""The chain, on a real kernel and through the real gate: what it yields, when it stops, how it goes on after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from kmaint import wire
from kmaint.agent.chain import Session, improve, original
from kmaint.agent.dialogue import Dialogue
from kmaint.agent.ideas import IDEAS, waiting
from kmaint.agent.proposal import Awaited, Proposal, Request, Ruling
from kmaint.agent.screening import TABLE, remembered
from kmaint.agent.scripted import Script, Scripted, read_folder
from kmaint.agent.strategies import STRATEGIES
from kmaint.agent.winner import choose_winner
from kmaint.evaluate import Bench, Screened
from kmaint.records.evaluation import Evaluation, Passed, Plan, Profile
from kmaint.records.exchange import Exchange, Usage
from kmaint.records.harness import Harness
from kmaint.records.lesson import Lesson
from kmaint.records.run import Budget, Run
from kmaint.records.workload import Json
from kmaint.store import Store
from tests.agent.conftest import CASES, MACHINE, PROFILE, Judged

judged = Judged()
Noted = list[tuple[str, Json]]

RANKS = {
    wire.digest(file.read_text()): Screened(ratio=1.2 if file.stem == "1-many-warps.1" else 1.0, estimated=True)
    for file in (CASES / "scripts").glob("*.py")
}
"""As screened before: what the estimate thinks of sixteen warps is not this file's subject."""


def session_with(harness: Harness, bench: Bench, noted: Noted, *, budget: Budget | None = None) -> Session:
    return Session(
        harness=harness,
        bench=bench,
        provider=read_folder(CASES / "scripts"),
        strategy=STRATEGIES["lines"],
        dialogue=Dialogue(budget=budget or Budget()),
        baseline=PROFILE,
        note=lambda kind, said: noted.append((kind, said)),
        ranks=RANKS,
    )


def summary(evaluations: Sequence[Evaluation]) -> list[tuple[str, str]]:
    return [(one.candidate.plan.edit, one.verdict.kind) for one in evaluations]


@pytest.fixture(scope="module")
def noted() -> Noted:
    return []


@pytest.fixture(scope="module")
def found(harness: Harness, bench: Bench, noted: Noted) -> list[Evaluation]:
    """A whole run: a wrong candidate, its repair, and one that does not build."""
    return list(improve(session_with(harness, bench, noted), []))


EXPECTED = [("1-many-warps", "wrong"), ("1-many-warps.1", "passed"), ("2-unknown-name", "not_built")]


def test_every_attempt_ends_in_a_verdict_and_a_wrong_one_is_repaired(found: list[Evaluation]) -> None:
    wrong, repaired, not_built = found
    assert summary(found) == EXPECTED
    assert repaired.candidate.parent == wrong.candidate.id
    assert (wrong.candidate.parent, not_built.candidate.parent) == (None, None)
    assert repaired.candidate.plan.why == "Sixteen warps a program, and one division instead of two."
    assert not isinstance(not_built.verdict, Passed)
    assert "prefix_scale is not defined" in not_built.verdict.reason


def test_a_plan_that_says_nowhere_is_anchored_to_where_its_candidate_differs_from_its_parent(
    found: list[Evaluation],
) -> None:
    """The repair's parent is the wrong one."""
    assert [one.candidate.plan.anchor for one in found] == [(36, 99), (36, 60), (61, 61)]


def test_what_happened_is_written_down_as_it_happens(found: list[Evaluation], noted: Noted) -> None:
    kinds = [kind for kind, _ in noted]
    assert kinds == ["plan", "plan", "plan", "stopped"]
    assert noted[-1][1] == {"reason": "the provider has no proposal left", "candidates": 3}
    assert noted[1][1] == {
        "candidate": found[1].candidate.id,
        "parent": found[0].candidate.id,
        "plan": wire.dump(found[1].candidate.plan),
    }


def test_without_a_gpu_the_winner_is_chosen_by_estimate_and_holds_no_time(found: list[Evaluation]) -> None:
    winner = choose_winner(found)
    assert winner is not None
    assert winner == found[1]
    assert isinstance(winner.verdict, Passed)
    assert (winner.verdict.timing, winner.verdict.win, winner.verdict.profile.estimated) == (None, False, True)


@pytest.mark.parametrize("budget", [Budget(candidates=2, minutes=None), Budget(candidates=None, minutes=0.001)])
def test_a_spent_budget_stops_before_the_next_candidate(harness: Harness, bench: Bench, budget: Budget) -> None:
    said: Noted = []
    history = [judged.wrong("a"), judged.wrong("b")]
    assert list(improve(session_with(harness, bench, said, budget=budget), history)) == []
    spent = "2 candidates" if budget.candidates else "0.001 minutes"
    assert said == [("stopped", {"reason": f"the budget of {spent} is spent", "candidates": 2})]


def test_the_original_and_what_was_judged_before_are_never_run_again(
    harness: Harness, bench: Bench, found: list[Evaluation]
) -> None:
    """A provider that proposes only those: both are turned down, and said to be."""

    class Stubborn(Scripted):
        def propose(self, request: object) -> object:  # type: ignore[override]
            return self.scripts[0].first

    for source in (original(harness), found[2].candidate.source):
        said: Noted = []
        first = replace(read_folder(CASES / "scripts").scripts[0].first, source=source)
        provider = Stubborn(scripts=(Script(first=first, repairs=()),))
        session = replace(session_with(harness, bench, said), provider=provider)  # type: ignore[arg-type]
        ranks = remembered([{wire.digest(source): {"ratio": 1.0, "estimated": True, "reason": ""}}])
        assert list(improve(replace(session, ranks=ranks), found[2:])) == []
        assert {kind for kind, _ in said} == {"duplicate", "stopped"}


def test_a_resumed_run_goes_on_as_if_it_had_not_been_killed(
    harness: Harness, bench: Bench, found: list[Evaluation], noted: Noted
) -> None:
    said: Noted = []
    rest = list(improve(session_with(harness, bench, said), found[:2]))
    assert [one.candidate for one in rest] == [found[2].candidate]
    assert said == noted[2:]


LISTED = {f"x = {number}": ratio for number, ratio in enumerate((1.1, 1.4, 1.2, 0.9, 1.6, 1.3))}
"""Sources and what screening thinks of them: for what a strategy makes of verdicts, which these stand for."""


def listed(session: Session, strategy: str) -> Session:
    """A session on those sources, whose verdicts are looked up."""
    plans = [Plan(bottleneck="unknown", edit=source, why="listed") for source in LISTED]
    firsts = [Proposal(plan=plan, source=source) for plan, source in zip(plans, LISTED, strict=True)]
    return replace(
        session,
        provider=Scripted(scripts=tuple(Script(first=first, repairs=()) for first in firsts)),
        strategy=STRATEGIES[strategy],
        ranks={wire.digest(source): Screened(ratio=ratio, estimated=True) for source, ratio in LISTED.items()},
        judge=lambda candidate: replace(judged.passed(candidate.source), candidate=candidate),
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_tries_each_proposal_once_and_goes_on_alike_after_a_kill(
    harness: Harness, bench: Bench, strategy: str
) -> None:
    noted: Noted = []
    session = listed(session_with(harness, bench, noted), strategy)
    whole = list(improve(session, []))
    assert sorted(one.candidate.source for one in whole) == sorted(LISTED)
    ideas = waiting(said for kind, said in noted if kind == IDEAS)
    for killed in (1, 3, 5):
        resumed = replace(session, ideas=ideas if killed == 1 else {})
        assert [*whole[:killed], *improve(resumed, whole[:killed])] == whole


def test_a_beam_judges_the_best_screened_of_the_ideas_and_leaves_the_rest(harness: Harness, bench: Bench) -> None:
    found = improve(listed(session_with(harness, bench, []), "beam"), [])
    assert [next(found).candidate.source for _ in range(2)] == ["x = 1", "x = 2"]
    assert next(found).candidate.source == "x = 4"


@dataclass(frozen=True, kw_only=True)
class Late(Scripted):
    """Answers when a budget of 0.002 minutes is over; `asked` holds the turns on which it was asked."""

    asked: list[Request] = field(default_factory=list)

    def propose(self, request: Request) -> Proposal | None:
        self.asked.append(request)
        time.sleep(0.2)
        return super().propose(request)


@pytest.mark.parametrize(("before", "judges"), [((), ["x = 0"]), ((replace(judged.wrong("x = 7"), rungs=()),), [])])
@pytest.mark.parametrize("strategy", ["greedy", "beam"])
def test_what_is_proposed_when_the_minutes_are_over_is_judged_only_where_nothing_was(
    harness: Harness, bench: Bench, strategy: str, before: tuple[Evaluation, ...], judges: list[str]
) -> None:
    said: Noted = []
    session = listed(session_with(harness, bench, said, budget=Budget(minutes=0.002)), strategy)
    assert isinstance(session.provider, Scripted)
    provider = Late(scripts=session.provider.scripts)
    # Where nothing is to be judged there are no ranks either: screening would be noted.
    late = replace(session, provider=provider, ranks=session.ranks if judges else {})
    assert [one.candidate.source for one in improve(late, before)] == judges
    assert len(provider.asked) == 1
    assert said[-1] == ("stopped", {"reason": "the budget of 0.002 minutes is spent", "candidates": 1})
    assert judges or {kind for kind, _ in said} <= {IDEAS, "stopped"}


@pytest.mark.parametrize("budget", [Budget(tokens=10, minutes=None), Budget(minutes=0.002)])
def test_an_answer_that_a_killed_run_left_unjudged_has_its_verdict(
    harness: Harness, bench: Bench, budget: Budget
) -> None:
    """Nobody is asked any more, but what was answered is here."""
    said: Noted = []
    answer = Exchange(role="coder", model="m", prompt="p", answer="a", usage=Usage(input_tokens=20), seconds=9.0)
    session = listed(session_with(harness, bench, said, budget=budget), "greedy")
    session = replace(session, dialogue=replace(session.dialogue, exchanges=[answer]))
    assert [one.candidate.source for one in improve(session, [])] == ["x = 0"]
    assert str(said[-1]).endswith("is spent', 'candidates': 1})")
    full = replace(session, dialogue=replace(session.dialogue, budget=replace(budget, candidates=1)))
    assert list(improve(full, [judged.wrong("x = 7")])) == []


def test_each_turn_is_told_what_earlier_runs_taught_of_such_a_case(harness: Harness, bench: Bench) -> None:
    known = Lesson(
        outcome="win",
        operation="state merge",
        arch=bench.environment.arch,
        bottleneck="latency",
        edit="tile_programs",
        why="more in one program",
        kernel="another",
        slow="",
        fast="",
        gain=1.4,
    )
    told: list[tuple[Lesson, ...]] = []

    class Listening(Scripted):
        def propose(self, request: Request) -> Proposal | None:
            told.append(request.lessons)
            return None

    session = session_with(harness, bench, [])
    foreign = replace(known, operation="rotary", bottleneck="compute")
    list(improve(replace(session, provider=Listening(scripts=()), lessons=(foreign, known)), []))
    assert told == [(known,)]


RUN = Run(
    id="merge-1a2b",
    harness="merge_state",
    kernel="merge_state.py::merge_state_kernel",
    provider="scripted",
    strategy="lines",
    budget=Budget(),
    state="running",
    created="2026-11-01T00:00:00",
    environment=MACHINE,
)


def run_with_store(folder: Path, state: Path, profile: Profile) -> None:
    """What the workflow does with a run, from its beginning or from where it was left."""
    from kmaint.evaluate import open_bench
    from kmaint.folder import read_harness

    with Store(state) as store:
        history = store.begin(RUN).evaluations
        ranks = remembered(event.payload for event in store.events(RUN.id) if event.kind == TABLE)
        session = session_with(read_harness(folder), open_bench(device="none"), [])
        session = replace(session, ranks=ranks, note=lambda kind, said: store.note(RUN.id, kind, said))
        for evaluation in improve(replace(session, baseline=profile), history):
            store.record(RUN.id, evaluation)


CHILD = """
import sys
from pathlib import Path
from tests.agent.conftest import PROFILE
from tests.agent.test_chain import run_with_store
run_with_store(Path(sys.argv[1]), Path(sys.argv[2]), PROFILE)
"""


@pytest.mark.slow
def test_a_run_killed_in_the_middle_ends_with_the_same_evaluations_and_nothing_twice(
    harness: Harness, tmp_path: Path
) -> None:
    root = Path(__file__).parents[2]
    argv = [sys.executable, "-c", CHILD, str(harness.folder), str(tmp_path)]
    with (
        Store(tmp_path) as store,
        subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(root)}, start_new_session=True) as child,
    ):
        store.begin(RUN)
        while not store.run(RUN.id).evaluations and child.poll() is None:
            time.sleep(0.1)
        os.killpg(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    with Store(tmp_path) as store:
        assert summary(store.run(RUN.id).evaluations) == EXPECTED[:1]
    run_with_store(harness.folder, tmp_path, PROFILE)
    with Store(tmp_path) as store:
        evaluations, events = store.run(RUN.id).evaluations, store.events(RUN.id)
    assert summary(evaluations) == EXPECTED
    written = {file.stem: file.read_text() for file in (CASES / "scripts").glob("*.py")}
    assert {one.candidate.plan.edit: one.candidate.source for one in evaluations} == written
    assert [event.kind for event in events].count("stopped") == 1


class Judging(Scripted):
    """A provider that has nothing to propose and leaves whatever passed."""

    def propose(self, request: Request) -> Proposal | None:
        asked.append(request.parent.id)
        return None

    def rule(self, harness: Harness, baseline: Profile, passed: Evaluation) -> Ruling | None:
        return None if passed.candidate.source == "b" else Ruling(decision="leave", reason="at the roofline")


asked: list[str | None] = []


def test_what_passed_is_judged_once_and_a_line_that_is_left_gets_no_turn(harness: Harness, bench: Bench) -> None:
    said: Noted = []
    left, silent, wrong = judged.passed("a", expected=1.2), judged.passed("b", expected=1.1), judged.wrong("c")
    session = replace(session_with(harness, bench, said), provider=Judging(scripts=()))
    asked.clear()
    for _ in range(2):  # the second time as a run that is resumed
        assert list(improve(session, [left, silent, wrong])) == []
    silence = {"decision": "keep", "reason": "the judge gave no answer of use"}
    assert [payload for kind, payload in said if kind == "ruling"] == [
        {left.candidate.id: {"decision": "leave", "reason": "at the roofline"}},
        {silent.candidate.id: silence},
    ]
    assert left.candidate.id not in asked
    assert silent.candidate.id in asked


def test_a_proposal_from_outside_is_awaited_and_that_is_no_end(harness: Harness, bench: Bench) -> None:
    class Absent(Scripted):
        def propose(self, request: Request) -> Proposal | None:
            raise Awaited

    said: Noted = []
    session = replace(session_with(harness, bench, said), provider=Absent(scripts=()))
    assert list(improve(session, [judged.wrong("a")])) == []
    assert said == [("awaited", {"candidates": 1})]


AT_THE_ROOFLINE = replace(PROFILE, estimated=False, roofline_fraction=0.91, least_fraction=0.88)


def test_a_run_of_what_is_at_the_roofline_ends_before_anybody_is_asked(harness: Harness, bench: Bench) -> None:
    class Unasked(Scripted):
        def propose(self, request: Request) -> Proposal | None:
            raise AssertionError("there is nothing to gain")

    said: Noted = []
    session = replace(session_with(harness, bench, said), provider=Unasked(scripts=()), baseline=AT_THE_ROOFLINE)
    assert list(improve(session, [])) == []
    why = "the original runs at 91% of the roofline, at 88% on the workload that is furthest from it"
    assert said == [("left", {"reason": why, "candidates": 0})]


def test_what_is_handed_in_is_tried_all_the_same_and_so_is_what_was_begun_or_is_only_estimated(
    harness: Harness, bench: Bench
) -> None:
    said: Noted = []
    session = listed(session_with(harness, bench, said), "greedy")
    begun = [judged.passed("x = 0", measured=(1.2, 1.1))]
    answer = Exchange(role="coder", model="handoff", prompt="p", answer="a", usage=Usage(), seconds=0.0)
    for other, history in (
        (replace(session, baseline=AT_THE_ROOFLINE, handed=True), []),
        (replace(session, baseline=AT_THE_ROOFLINE), begun),
        (replace(session, baseline=AT_THE_ROOFLINE, dialogue=Dialogue(exchanges=[answer])), []),
        (replace(session, baseline=replace(AT_THE_ROOFLINE, estimated=True)), []),
        (replace(session, baseline=replace(AT_THE_ROOFLINE, least_fraction=0.5)), []),
    ):
        assert next(improve(other, history)).candidate.source in LISTED
    assert "left" not in {kind for kind, _ in said}


def test_a_spent_budget_of_tokens_is_the_reason_and_not_a_lack_of_proposals(harness: Harness, bench: Bench) -> None:
    """It may be spent in the middle of a turn: by a plan, say, for which there is then no code."""

    class Talkative(Scripted):
        def propose(self, request: Request) -> Proposal | None:
            usage = Usage(requests=1, output_tokens=100)
            session.dialogue.record(
                Exchange(role="planner", model="m", prompt="p", answer="a", usage=usage, seconds=0.0)
            )
            return None

    said: Noted = []
    budget = Budget(tokens=100)
    session = replace(session_with(harness, bench, said, budget=budget), provider=Talkative(scripts=()))
    assert list(improve(session, [])) == []
    assert said[-1] == ("stopped", {"reason": "the budget of 100 tokens is spent", "candidates": 0})
