"""A real harness of one small SGLang kernel, with a suite by hand, and one survey of this interpreter for all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kmaint import wire
from kmaint.evaluate import Bench, open_bench, warmed
from kmaint.folder import read_harness
from kmaint.records.evaluation import Candidate, Plan
from kmaint.records.harness import Harness

ROOT = Path(__file__).parents[2]
LIMITS_S = {"compile": 60.0, "interpreter": 60.0, "numerics": 60.0, "call": 30.0}


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """This interpreter without a GPU, so that the tests say the same everywhere; warm, as commands use it."""
    with warmed(open_bench(device="none", limits_s=LIMITS_S)) as found:
        yield found


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    """merge_state of SGLang 0.5.17 in a folder of its own."""
    folder = tmp_path_factory.mktemp("harness") / "merge_state"
    shutil.copytree(Path(__file__).parent / "cases" / "merge_state", folder)
    shutil.copytree(ROOT / "extract" / "runtime", folder / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    return read_harness(folder)


@pytest.fixture(scope="session")
def source(harness: Harness) -> str:
    return (harness.folder / "kernel.py").read_text()


@pytest.fixture(scope="session")
def propose() -> Callable[[str], Candidate]:
    """A candidate out of a source."""
    plan = Plan(bottleneck="unknown", edit="by hand", why="a test")
    return lambda text: Candidate(id=wire.digest(text), source=text, parent=None, plan=plan, provider="test")
