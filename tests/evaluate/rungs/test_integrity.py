"""The corpus: every bad candidate refused for what is wrong with it, every honest one accepted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchmarks.corpus import CORPUS, KERNELS, candidates, expected, harness_of, judged
from kmaint.evaluate import Bench, open_bench
from kmaint.evaluate.bench import Done, ask
from kmaint.evaluate.rungs.integrity import _request, constants, numbers_of_c
from kmaint.records.harness import Harness

EVERY = [(op, path) for op in KERNELS for path in candidates(op)]
QUICK = {
    "bad/swapped": ("mismatch",),
    "bad/cache_by_lse": ("stale_result", "leaked_memory"),
    "bad/buffer_for_lse": ("reused_output",),
    "bad/thread_pool": ("hidden_thread", "uninitialised", "mismatch"),
    "bad/patches_empty_like": ("tampered",),
    "honest/joined_threads": ("",),
}


def test_the_corpus_is_as_large_as_it_has_to_be() -> None:
    bad = [path for _op, path in EVERY if path.parent.name == "bad"]
    honest = [path for _op, path in EVERY if path.parent.name == "honest"]
    assert len(bad) >= 60
    assert len(honest) >= 15
    assert all(path.read_text().startswith('"""') for _op, path in EVERY)
    assert all(expected(path) for path in bad)
    assert not any(expected(path) for path in honest)


def test_a_few_of_the_corpus_in_one_worker(harness: Harness, bench: Bench, tmp_path: Path) -> None:
    """What the integrity rung alone says of some, where the suite has no part in it."""
    free = dataclasses.replace(harness, compute="any")
    items = tuple(
        {"path": str(CORPUS / "merge_state" / f"{name}.py"), "constants": [], "control": False} for name in QUICK
    )
    answers = ask(bench, _request(free, bench, items), tmp_path)
    said = {}
    for name, answer in zip(QUICK, answers, strict=True):
        assert isinstance(answer, Done)
        said[name] = answer.value["code"]
    assert {name: code for name, code in said.items() if code not in QUICK[name]} == {}


def test_numbers_that_only_the_candidate_has_are_where_it_may_turn() -> None:
    assert constants("if n > 8: pass", "if n > 8 or n > 96 or n == 3.5 or n > 65535 or n == True: pass") == [65535, 96]


def test_numbers_of_cuda_are_read_from_its_text() -> None:
    before = "if (n > 8) x1 = 1.5f * 3e2;"
    after = "if (n > 0x60u || n == 65535ul || n < 8) x77 = 2.25f;"
    assert constants(before, after, numbers=numbers_of_c) == [65535, 96]


@pytest.fixture(scope="session")
def free_bench() -> Bench:
    return open_bench(device="none", limits_s={"call": 20.0, "compile": 90.0})


@pytest.fixture(scope="session")
def harnesses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Harness]:
    return {op: harness_of(op, tmp_path_factory.mktemp(op)) for op in KERNELS}


@pytest.mark.slow
@pytest.mark.parametrize(("op", "path"), EVERY, ids=[f"{op}/{path.parent.name}/{path.stem}" for op, path in EVERY])
def test_the_corpus(op: str, path: Path, harnesses: dict[str, Harness], free_bench: Bench) -> None:
    found = judged(harnesses[op], free_bench, path)
    assert found["as_expected"], found["said"]
