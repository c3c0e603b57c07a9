"""The loop that hands candidates out, over the threads of the local executor."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import pytest

from kmaint.evaluate import Bench
from kmaint.evaluate.executors import Local, Work
from kmaint.records.evaluation import Candidate, Environment, Evaluation, NotBuilt
from kmaint.records.harness import Harness


@dataclass
class Held:
    """Claims of a run in which somebody else has one candidate, until he has its verdict or is gone."""

    theirs: str
    verdict: Evaluation | None
    asked: Counter[str] = field(default_factory=Counter)
    released: list[str] = field(default_factory=list)

    def claim(self, candidate: Candidate) -> Evaluation | Literal["ours", "theirs"]:
        self.asked[candidate.id] += 1
        if candidate.id != self.theirs or (self.asked[candidate.id] > 2 and self.verdict is None):
            return "ours"
        return self.verdict if self.asked[candidate.id] > 2 and self.verdict else "theirs"

    def release(self, candidate: Candidate) -> None:
        self.released.append(candidate.id)


@pytest.fixture
def quick(bench: Bench) -> Callable[..., Local]:
    """An executor whose judge says at once that a candidate does not build; `seen` counts whom it judged."""

    def make(seen: list[str], jobs: int = 2) -> Local:
        def judge(_harness: Harness, candidate: Candidate, told: Bench) -> Evaluation:
            seen.append(candidate.id)
            return evaluation(candidate, told.environment)

        return Local([bench], jobs=jobs, judge=judge)

    return make


def evaluation(candidate: Candidate, environment: Environment) -> Evaluation:
    verdict = NotBuilt(reason="a test", codes=("syntax",))
    return Evaluation(candidate=candidate, verdict=verdict, rungs=(), environment=environment)


def test_each_candidate_is_judged_once_and_what_is_known_not_at_all(
    quick: Callable[..., Local], harness: Harness, bench: Bench, propose: Callable[[str], Candidate]
) -> None:
    seen = list[str]()
    given = [propose(text) for text in "abcdea"]  # one of them twice
    known = {given[1].id: evaluation(given[1], bench.environment)}
    found = list(quick(seen).judge(Work(harness=harness, candidates=tuple(given), known=known)))
    assert Counter(one.candidate.id for one in found) == Counter({one.id for one in given})
    assert Counter(seen) == Counter({one.id for one in given} - known.keys())
    assert known[given[1].id] in found


@pytest.mark.parametrize("judged_there", [True, False])
def test_what_another_process_has_is_waited_for_or_taken_over(
    quick: Callable[..., Local],
    harness: Harness,
    bench: Bench,
    propose: Callable[[str], Candidate],
    judged_there: bool,
) -> None:
    seen = list[str]()
    given = [propose(text) for text in "abc"]
    claims = Held(given[0].id, evaluation(given[0], bench.environment) if judged_there else None)
    found = list(quick(seen).judge(Work(harness=harness, candidates=tuple(given), claims=claims)))
    assert sorted(one.candidate.id for one in found) == sorted(one.id for one in given)
    assert (given[0].id in seen) != judged_there
    assert claims.asked[given[0].id] == 3
    assert claims.released == []


def test_who_stops_early_lets_go_of_what_has_no_verdict(
    quick: Callable[..., Local], harness: Harness, propose: Callable[[str], Candidate]
) -> None:
    claims, given = Held("", None), [propose(text) for text in "abcdef"]
    judged = quick([]).judge(Work(harness=harness, candidates=tuple(given), claims=claims))
    first = next(judged)
    judged.close()  # type: ignore[attr-defined]
    assert claims.released and len(claims.asked) < len(given)
    assert set(claims.released) <= claims.asked.keys()
    assert first.candidate.id in claims.released  # it was taken, and nobody came back for the next: not recorded


def test_every_gpu_has_its_places(bench: Bench, harness: Harness, propose: Callable[[str], Candidate]) -> None:
    benches = [Bench(**{**vars(bench), "gpu": gpu}) for gpu in ("0", "1")]
    meeting, met = threading.Barrier(4), list[str]()

    def judge(_harness: Harness, candidate: Candidate, told: Bench) -> Evaluation:
        meeting.wait(timeout=30)  # all four at once, or never
        met.append(str(told.gpu))
        return evaluation(candidate, told.environment)

    executor = Local(benches, jobs=2, judge=judge)
    work = Work(harness=harness, candidates=tuple(propose(text) for text in "abcd"))
    assert len(list(executor.judge(work))) == 4
    assert sorted(met) == ["0", "0", "1", "1"]


def test_candidates_of_mixed_quality_climb_at_once(
    bench: Bench, harness: Harness, source: str, propose: Callable[[str], Candidate]
) -> None:
    """The real gate: what stops early does not wait for what climbs on."""
    line = "out = p_out * p_scale + s_out * s_scale"
    slip, wrong = propose("def ("), propose(source.replace(line, f"{line} * 1.1"))
    work = Work(harness=harness, candidates=(wrong, slip))
    found = [(one.candidate.id, one.verdict.kind) for one in Local([bench], jobs=2).judge(work)]
    assert found == [(slip.id, "not_built"), (wrong.id, "wrong")]
