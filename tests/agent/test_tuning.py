"""The search asks for what may run, starts from what won before, and finds the best of recorded grids with a share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kmaint.agent.descent import climb
from kmaint.agent.transforms.base import Subject
from kmaint.agent.transforms.launch import BEFORE, launch_space
from kmaint.agent.tuning import MOST_POINTS, Tuning
from kmaint.records.workload import Contract

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
GRIDS: list[dict[str, Any]] = json.loads(max(RESULTS.glob("*-launch-search.json")).read_text())["grids"]
SUBJECT = Subject(source=BEFORE, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid["harness"])
def test_on_a_recorded_grid_the_best_is_found(grid: dict[str, Any]) -> None:
    """Estimates from compiling for sm_90: no GPU was there when these were written down."""
    table = {tuple(point["at"]): point["ratio"] for point in grid["points"]}
    ruled_out = {tuple(point["at"]) for point in grid["points"] if point["ruled_out"]}
    known = climb(
        [len(knob["values"]) for knob in grid["knobs"]],
        tuple(knob["written"] for knob in grid["knobs"]),
        lambda batch: [table[point] for point in batch],
        allowed=lambda point: point in table and point not in ruled_out,
        most=MOST_POINTS,
    )
    best = max(ratio for ratio in table.values() if ratio is not None)
    assert max(ratio for ratio in known.values() if ratio is not None) >= 0.99 * best
    assert len(known) <= max(5, len(table) / 2)


def notes_asked(tuning: Tuning, ratios: dict[str, float]) -> list[str]:
    grid = tuning.space
    notes = {grid.variant(point).source: grid.note(point) for point in grid.points() if point != grid.written}
    asked: list[str] = []

    def rank(sources: Sequence[str]) -> list[float | None]:
        asked.extend(notes[source] for source in sources)
        return [ratios.get(notes[source], 0.9) for source in sources]

    tuned = tuning.run(rank)
    assert [one.edited.note for one in tuned] == asked
    return asked


def test_what_won_before_is_asked_for_first_wherever_it_stood() -> None:
    tuning = Tuning(space=launch_space(SUBJECT), today=None, notes=["num_warps=1, BLOCK 64 -> 2048 (line 90)", "else"])
    assert notes_asked(tuning, {})[0] == "num_warps=1, BLOCK 256 -> 2048 (line 15)"


def test_a_better_pair_is_reached_over_its_parts() -> None:
    ratios = {"num_warps=4": 1.1, "num_warps=4, BLOCK 256 -> 512 (line 15)": 1.3}
    asked = notes_asked(Tuning(space=launch_space(SUBJECT), today=None), ratios)
    assert "num_warps=4, BLOCK 256 -> 512 (line 15)" in asked and len(asked) < 20


def test_no_more_than_most_are_asked_for() -> None:
    assert len(notes_asked(Tuning(space=launch_space(SUBJECT), today=None, most=4), {})) == 3
