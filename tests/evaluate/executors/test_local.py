"""How the cores of this machine are shared out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kmaint.evaluate import Bench
from kmaint.evaluate.executors import Local, Work
from kmaint.evaluate.executors.local import Later, cores
from kmaint.records.evaluation import Candidate, Evaluation, NotBuilt
from kmaint.records.harness import Harness

Had = Callable[..., list[int]]


@pytest.fixture
def had(bench: Bench, harness: Harness, propose: Callable[[str], Candidate]) -> Had:
    """Of how many cores each candidate of these sources is told, by an executor of these settings."""

    def judged(texts: str, *, gpus: int = 1, put_off: bool = False, **settings: int) -> list[int]:
        threads = list[int]()

        def judge(_harness: Harness, candidate: Candidate, told: Bench) -> Evaluation:
            threads.append(told.threads)
            verdict = NotBuilt(reason="a test", codes=("syntax",))
            return Evaluation(candidate=candidate, verdict=verdict, rungs=(), environment=told.environment)

        def puts_off(_harness: Harness, _candidate: Candidate, _told: Bench) -> Later:
            return Later(1.0, judge)

        benches = [replace(bench, gpu=str(n), threads=99) for n in range(gpus)]
        executor = Local(benches, judge=puts_off if put_off else judge, **settings)
        work = Work(harness=harness, candidates=tuple(map(propose, texts)))
        assert len(list(executor.judge(work))) == len(set(texts))
        return threads

    return judged


@pytest.mark.parametrize(
    ("texts", "jobs", "gpus", "at_once"),
    [
        ("", 2, 1, 1),
        ("a", 2, 1, 1),
        ("a", 1, 2, 1),
        ("aaa", 2, 1, 1),
        ("ab", 2, 1, 2),
        ("abc", 2, 1, 2),
        ("abc", 1, 2, 2),
    ],
)
def test_those_that_are_judged_at_once_share_the_cores(
    had: Had, texts: str, jobs: int, gpus: int, at_once: int
) -> None:
    share = max(1, cores() // at_once)
    assert had(texts, jobs=jobs, gpus=gpus) == [share] * len(set(texts))


def test_by_default_a_candidate_that_is_alone_has_all_cores(had: Had) -> None:
    assert had("a") == [cores()]


@pytest.mark.parametrize("texts", ["a", "abc"])
def test_who_names_the_threads_has_them(had: Had, texts: str) -> None:
    assert had(texts, jobs=2, threads=3) == [3] * len(texts)


def test_those_that_were_put_off_share_what_all_others_had(had: Had) -> None:
    assert had("abc", jobs=3, threads=1, rivals=1, put_off=True) == [cores()] * 3
    assert had("abc", jobs=3, threads=99, rivals=1, put_off=True) == [99] * 3
