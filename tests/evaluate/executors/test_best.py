"""The best of many: who climbs is decided by first looks, here given, and by who has won."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from kmaint.evaluate import Bench
from kmaint.evaluate.executors import ForTheBest, Local, Work
from kmaint.evaluate.executors.best import RIVALS
from kmaint.evaluate.look import Look
from kmaint.records.evaluation import Candidate, Evaluation, NotBuilt, Numerics, Passed, Profile
from kmaint.records.harness import Harness
from kmaint.records.timing import Interval

NUMERICS = Numerics(kind="bit-exact", oracle=True, original_error=0.0, candidate_error=0.0, max_difference=0.0)
PROFILE = Profile(bottleneck="memory", estimated=False, resources=(), roofline_fraction=None, next_step="")
LOOKS = {"a": 1.2, "b": 1.9, "c": 1.5, "d": 1.9, "e": 1.1, "f": 3.0}
"""What each candidate looks like; one that is not named does not build."""
LEAST = {"f": 0.9}
"""Of those that lose on a workload, how much is left there."""


class Played:
    """Looks and verdicts by the candidates' own sources; those of `wrong` fail the gate, all others win."""

    def __init__(self, bench: Bench, wrong: str = "") -> None:
        self._bench, self._wrong, self.events = bench, wrong, list[str]()
        self._lock, self.most, self._now = threading.Lock(), 0, 0

    def first(self, _harness: Harness, candidate: Candidate, _bench: Bench) -> Evaluation | Look:
        self.events.append(f"look {candidate.source}")
        if candidate.source not in LOOKS:
            return self._ended(candidate, NotBuilt(reason="a test", codes=("syntax",)))
        ratio = LOOKS[candidate.source]
        return Look(
            speedup=Interval(ratio=ratio, low=ratio, high=ratio), least=LEAST.get(candidate.source, 1.0), most=ratio
        )

    def whole(self, _harness: Harness, candidate: Candidate, _bench: Bench, *, outrun: Callable[[], str]) -> Evaluation:
        del outrun
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self.events.append(f"climb {candidate.source}")
        with self._lock:
            self._now -= 1
        if candidate.source in self._wrong:
            return self._ended(candidate, NotBuilt(reason="a test", codes=("compile_error",)))
        return self._ended(candidate, Passed(numerics=NUMERICS, profile=PROFILE, timing=None, win=True))

    def _ended(self, candidate: Candidate, verdict: NotBuilt | Passed) -> Evaluation:
        return Evaluation(candidate=candidate, verdict=verdict, rungs=(), environment=self._bench.environment)


@pytest.mark.parametrize(("wrong", "winner"), [("", "b"), ("b", "d"), ("bd", "c")])
def test_all_are_looked_at_and_only_what_looks_fastest_climbs(
    bench: Bench, harness: Harness, propose: Callable[[str], Candidate], wrong: str, winner: str
) -> None:
    played = Played(bench, wrong)
    executor = Local([bench], jobs=1, judge=ForTheBest(played.first, played.whole), at_once=True)
    found = list(executor.judge(Work(harness=harness, candidates=tuple(propose(text) for text in "axbcedf"))))
    kinds = {one.candidate.source: one.verdict.kind for one in found}
    assert sorted(played.events[:7]) == [f"look {name}" for name in "abcdefx"]
    assert played.events[7:] == [f"climb {name}" for name in "bdcae" if name in wrong or name == winner]
    assert kinds[winner] == "passed"
    assert kinds["x"] == "not_built"
    assert all(kinds[name] == "slower" for name in "abcdef" if name not in wrong and name != winner)
    slower = next(one for one in found if one.candidate.source == "a")
    ratio, best = LOOKS["a"], LOOKS[winner]
    assert slower.verdict == type(slower.verdict)(  # type: ignore[call-arg]
        reason=f"{ratio:.2f}x ({ratio:.2f} to {ratio:.2f}) by a first look, and {propose(winner).id}, which looked like"
        f" {best:.2f}x ({best:.2f} to {best:.2f}), has won"
    )


def test_few_climb_at_a_time(bench: Bench, harness: Harness, propose: Callable[[str], Candidate]) -> None:
    played = Played(bench, "abcde")
    executor = Local([bench], jobs=5, judge=ForTheBest(played.first, played.whole), at_once=True)
    found = list(executor.judge(Work(harness=harness, candidates=tuple(propose(text) for text in "abcde"))))
    assert len(found) == 5
    assert 1 <= played.most <= RIVALS
