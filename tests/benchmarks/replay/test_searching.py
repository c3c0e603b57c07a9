"""The real chain on a recorded kernel: its verdicts are those that were recorded, and each proposal is counted."""

import json
from pathlib import Path

import pytest

from benchmarks.replay.__main__ import main
from benchmarks.replay.searching import BUDGETS, Replay
from benchmarks.replay.tables import RESULTS
from benchmarks.replay.worlds import World, read_world

TIMED = RESULTS / "2026-12-02-h200-landscapes" / "vllm-temperature-kernel.json"


@pytest.fixture(scope="module")
def world() -> World:
    return read_world(TIMED)


@pytest.mark.parametrize("strategy", ["lines", "beam"])
def test_a_search_finds_what_was_recorded_and_counts_what_it_asked_for(
    strategy: str, world: World, tmp_path: Path
) -> None:
    found = Replay(folder=tmp_path, errors=(0.0,)).search(world, strategy, "chance", seed=0)
    best = max(row["ratio"] for row in json.loads(TIMED.read_text())["nodes"])
    assert len(found.history) == BUDGETS[-1] == len(found.asked)
    assert found.best(0) == 1.0 <= found.best(4) <= found.best(16) <= best == world.best
    assert list(found.asked) == sorted(found.asked)
    assert [found.verdicts(asked) for asked in (0, found.asked[-1])] == [0, BUDGETS[-1]]
    # A beam has several ideas for each verdict, a line one.
    assert (found.verdicts(BUDGETS[-1]) == BUDGETS[-1]) is (strategy == "lines")
    assert found.proposals >= found.ended > 0


@pytest.mark.slow
def test_the_pages_say_what_the_recordings_say() -> None:
    assert main(check=True) == 0, "run python -m benchmarks.replay"
