"""The best of many: who climbs is decided by first looks, here given, and by who has won."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from kmaint.evaluate import Bench
from kmaint.evaluate.executors import RIVALS, ForTheBest, Local, Work
from kmaint.evaluate.look import Look, Seen
from kmaint.evaluate.timing.ratios import combine
from kmaint.records.evaluation import Candidate, Evaluation, NotBuilt, Numerics, Passed, Profile, Rung, Wrong
from kmaint.records.harness import Harness
from kmaint.records.timing import Interval, WorkloadTiming

NUMERICS = Numerics(kind="bit-exact", oracle=True, original_error=0.0, candidate_error=0.0, max_difference=0.0)
PROFILE = Profile(bottleneck="memory", estimated=False, resources=(), roofline_fraction=None, next_step="")
LOOKS = {
    "a": 1.2,
    "b": 1.9,
    "c": 1.5,
    "d": 1.88,
    "e": 1.1,
    "f": 3.0,
    "liar": 100.0,
    "hardly": 1.025,
    "biased": 2.08,
    "twin": 2.07,
}
"""What each candidate looks like; "silent" gives no look, "plain" other results, and one that is not named does not
build."""
LEAST = {"f": 0.9}
"""Of those that lose on a workload, how much is left there."""
TRUE = {"liar": 1.02, "biased": 2.03}
"""Of those that look like something else, what is measured."""
CLIMB_S = 0.05
AWAITED_S = {"x40": 10.0, "x41": 10.0, "x42": 10.0, "x43": 0.3}
"""Looks that go on until somebody climbs, where that is waited for, and how long at most: of four places the last is
free again soon, and what it does next is up to the executor, not to how the machine shares its cores."""
RUNGS = tuple(Rung(name=name, passed=True, seconds=1.0) for name in ("lint", "compile", "look"))


def interval(ratio: float) -> Interval:
    return Interval(ratio=ratio, low=ratio, high=ratio)


class Played:
    """Looks and verdicts by the candidates' own sources; those of `wrong` fail the gate, all others win."""

    def __init__(self, bench: Bench, wrong: str = "", *, awaited: bool = False) -> None:
        self._bench, self._wrong, self.events = bench, wrong, list[str]()
        self._lock, self.most, self._now = threading.Lock(), 0, 0
        self._climbs, self._awaited = threading.Event(), awaited

    def first(self, _harness: Harness, candidate: Candidate, _bench: Bench) -> Evaluation | Seen:
        self.events.append(f"look {candidate.source}")
        if self._awaited:
            self._climbs.wait(AWAITED_S.get(candidate.source, 0.0))
        if candidate.source.startswith("silent"):
            return Seen(look=None, rungs=RUNGS)
        if candidate.source == "plain":
            return Seen(look=None, rungs=RUNGS, wrong=Wrong(reason="a test", codes=("mismatch",)))
        if candidate.source not in LOOKS:
            return self._ended(candidate, NotBuilt(reason="a test", codes=("syntax",)))
        ratio = LOOKS[candidate.source]
        look = Look(speedup=interval(ratio), least=LEAST.get(candidate.source, 1.0), most=ratio)
        return Seen(look=look, rungs=RUNGS)

    def whole(
        self, _harness: Harness, candidate: Candidate, _bench: Bench, *, seen: Seen, outrun: Callable[[], str]
    ) -> Evaluation:
        del outrun
        assert seen.rungs == RUNGS
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            self.events.append(f"climb {candidate.source}")
        self._climbs.set()
        time.sleep(CLIMB_S)
        with self._lock:
            self._now -= 1
        if candidate.source in self._wrong:
            return self._ended(candidate, NotBuilt(reason="a test", codes=("compile_error",)))
        us = TRUE.get(candidate.source, LOOKS.get(candidate.source, 1.05))
        one = WorkloadTiming(
            workload="only",
            weight=1.0,
            original_us=(us, us),
            candidate_us=(1.0, 1.0),
            speedup=interval(us),
            noise=interval(1.0),
        )
        return self._ended(candidate, Passed(numerics=NUMERICS, profile=PROFILE, timing=combine([one]), win=True))

    def _ended(self, candidate: Candidate, verdict: NotBuilt | Passed) -> Evaluation:
        return Evaluation(candidate=candidate, verdict=verdict, rungs=(), environment=self._bench.environment)


@pytest.fixture
def judged(
    bench: Bench, harness: Harness, propose: Callable[[str], Candidate]
) -> Callable[..., tuple[Played, dict[str, Evaluation]]]:
    """Judges the candidates of these sources for the best alone, by default with a place for each."""

    def judge(
        names: list[str], wrong: str = "", *, jobs: int = 0, benches: int = 1, awaited: bool = False
    ) -> tuple[Played, dict[str, Evaluation]]:
        played = Played(bench, wrong, awaited=awaited)
        gpus = [replace(bench, gpu=str(n)) for n in range(benches)]
        gate = ForTheBest(played.first, played.whole)
        executor = Local(gpus, jobs=jobs or len(names), judge=gate, rivals=RIVALS)
        found = executor.judge(Work(harness=harness, candidates=tuple(map(propose, names))))
        return played, {one.candidate.source: one for one in found}

    return judge


@pytest.mark.parametrize("jobs", [1, 7])
@pytest.mark.parametrize(("wrong", "winner", "climbed"), [("", "b", "b"), ("bd", "c", "bdc"), ("bdcae", "", "bdcae")])
def test_all_are_looked_at_and_only_what_looks_fastest_climbs(
    judged: Callable[..., tuple[Played, dict[str, Evaluation]]], jobs: int, wrong: str, winner: str, climbed: str
) -> None:
    played, found = judged(list("axbcedf"), wrong, jobs=jobs)
    assert sorted(played.events[:7]) == [f"look {name}" for name in "abcdefx"]
    named = [event.removeprefix("climb ") for event in played.events[7:]]
    assert named == list(climbed[: len(named)])
    assert set(named) >= set(wrong) & set("abcde") | {winner} - {""}
    kinds = {name: one.verdict.kind for name, one in found.items()}
    assert kinds["x"] == "not_built"
    assert kinds["f"] == "slower"
    assert all(kinds[name] == "slower" for name in "abcde" if name not in named)
    assert found["f"].rungs == (*RUNGS[:2], replace(RUNGS[2], passed=False))


@pytest.mark.parametrize(("jobs", "there", "early"), [(3, 16, False), (4, 16, True), (4, 6, False)])
def test_of_many_the_best_so_far_climbs_while_others_are_looked_at(
    judged: Callable[..., tuple[Played, dict[str, Evaluation]]],
    monkeypatch: pytest.MonkeyPatch,
    jobs: int,
    there: int,
    early: bool,
) -> None:
    """And what is better and looked at later climbs after it."""
    monkeypatch.setattr("kmaint.evaluate.executors.local.cores", lambda: there)
    unbuilt = [f"x{n}" for n in range(60)]
    played, found = judged(["a", "c", *unbuilt, "b", "e"], jobs=jobs, awaited=early)
    climbs = [event for event in played.events if event.startswith("climb")]
    assert climbs == (["climb c", "climb b"] if early else ["climb b"])
    looked = played.events.index(climbs[0])
    assert (32 <= looked < 64) if early else (looked == 64)
    assert found["b"].verdict.kind == "passed"


def test_who_is_left_is_told_by_whom(judged: Callable[..., tuple[Played, dict[str, Evaluation]]]) -> None:
    _, found = judged(["a", "b"], jobs=1)
    won = found["b"].candidate.id
    assert (
        getattr(found["a"].verdict, "reason", "")
        == f"1.20x (1.20 to 1.20) by a first look, and {won}, which has won, counts as 1.90x"
    )


def test_who_lies_in_his_look_shuts_nobody_out(judged: Callable[..., tuple[Played, dict[str, Evaluation]]]) -> None:
    played, found = judged(["c", "liar"], jobs=1)
    assert played.events[2:] == ["climb liar", "climb c"]
    assert found["c"].verdict.kind == "passed"


def test_what_gives_no_look_climbs_last(judged: Callable[..., tuple[Played, dict[str, Evaluation]]]) -> None:
    played, found = judged(["silent", "a", "b"], "ab", jobs=1)
    assert played.events[3:] == ["climb b", "climb a", "climb silent"]
    assert found["silent"].verdict.kind == "passed"


def test_what_is_plainly_wrong_climbs_no_further(judged: Callable[..., tuple[Played, dict[str, Evaluation]]]) -> None:
    played, found = judged(["plain", "a"])
    assert sorted(played.events) == ["climb a", "look a", "look plain"]
    assert found["plain"].verdict == Wrong(reason="a test", codes=("mismatch",))
    assert [rung.passed for rung in found["plain"].rungs] == [True, True, False]


def test_who_looks_a_little_better_than_he_is_stands_for_his_look(
    judged: Callable[..., tuple[Played, dict[str, Evaluation]]],
) -> None:
    """All looks are off by as much, and in the same direction."""
    played, found = judged(["biased", "twin"], jobs=1)
    assert played.events[2:] == ["climb biased"]
    assert found["twin"].verdict.kind == "slower"


def test_what_looks_faster_than_the_winner_by_no_gain_that_counts_is_left(
    judged: Callable[..., tuple[Played, dict[str, Evaluation]]],
) -> None:
    played, found = judged(["liar", "hardly"], jobs=1)
    assert played.events[2:] == ["climb liar"]
    assert found["hardly"].verdict.kind == "slower"


def test_where_nobody_is_a_rival_all_places_are_for_the_rest(
    judged: Callable[..., tuple[Played, dict[str, Evaluation]]],
) -> None:
    played, _ = judged([f"silent{n}" for n in range(8)], jobs=4)
    assert played.most == 4


def test_what_gives_no_look_waits_for_no_rival(judged: Callable[..., tuple[Played, dict[str, Evaluation]]]) -> None:
    """There are places for all: it climbs beside those that are the most at a time, and before the next."""
    played, found = judged(["silent", *"abcde"], "abcde")
    assert played.most == RIVALS + 1
    climbs = [event for event in played.events if event.startswith("climb")]
    assert climbs.index("climb silent") <= RIVALS
    assert found["silent"].verdict.kind == "passed"


@pytest.mark.parametrize("benches", [1, 2])
def test_few_climb_at_a_time(judged: Callable[..., tuple[Played, dict[str, Evaluation]]], benches: int) -> None:
    played, found = judged(list("abcde"), "abcde", benches=benches)
    assert len(found) == 5
    assert played.most == RIVALS * benches


def test_what_a_look_raises_is_raised_where_the_verdicts_are_taken(
    bench: Bench, harness: Harness, propose: Callable[[str], Candidate]
) -> None:
    def fails(_harness: Harness, _candidate: Candidate, _bench: Bench) -> Evaluation:
        raise KeyError("a test")

    executor = Local([bench], jobs=2, judge=ForTheBest(fails), rivals=RIVALS)
    with pytest.raises(KeyError, match="a test"):
        list(executor.judge(Work(harness=harness, candidates=(propose("a"), propose("b")))))
