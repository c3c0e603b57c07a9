"""What is far past a limit of the device is ruled out before it is compiled, and nothing that might run."""

from __future__ import annotations

from dataclasses import replace

from kmaint.agent.transforms.base import Subject
from kmaint.agent.transforms.launch import BEFORE, launch_space
from kmaint.agent.transforms.launch_model import LaunchModel
from kmaint.agent.transforms.space import Space
from kmaint.records.evaluation import Resources
from kmaint.records.workload import Contract

TODAY = Resources(
    kernel="kernel",
    arch="sm_90",
    registers=56,
    shared_bytes=0,
    spill_bytes=0,
    load_bits=128,
    store_bits=128,
    instructions=200,
    num_warps=8,
    num_stages=3,
    workload="T64",
)
LOOP = BEFORE.replace("    mask = offsets < n\n", "    mask = offsets < n\n    for _ in range(n):\n        pass\n")


def space(source: str = BEFORE) -> Space:
    subject = Subject(source=source, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))
    return launch_space(subject)


def ruled_out(today: Resources | None, source: str = BEFORE) -> dict[str, str]:
    grid = space(source)
    model = LaunchModel(space=grid, today=today)
    return {grid.note(point): reason for point in grid.points() if (reason := model.rules_out(point))}


def test_nothing_is_ruled_out_of_what_nobody_knows() -> None:
    assert ruled_out(None) == {}


def test_a_tile_that_would_spill_is_ruled_out() -> None:
    """32 registers of tile in each of 8 warps: eight times the tile in an eighth of the warps is 64 times as many."""
    reasons = ruled_out(TODAY)
    line = BEFORE[: BEFORE.index("BLOCK = 256")].count("\n") + 1
    spills = "about 2072 registers a thread, and there are 255: it would spill"
    assert reasons[f"num_warps=1, BLOCK 256 -> 2048 (line {line})"] == spills
    assert "num_warps=4" not in reasons and f"BLOCK 256 -> 512 (line {line})" not in reasons


def test_stages_that_do_not_fit_are_ruled_out() -> None:
    line = LOOP[: LOOP.index("BLOCK = 256")].count("\n") + 1
    deep = f"BLOCK 256 -> 1024 (line {line}), num_stages=5"
    reasons = ruled_out(replace(TODAY, shared_bytes=60_000), LOOP)
    assert reasons[deep] == "about 400000 bytes of shared memory, and sm_90 has 232448"
    assert deep not in ruled_out(replace(TODAY, shared_bytes=6_000), LOOP)


def test_more_bytes_in_flight_promise_more_and_then_nearness_counts() -> None:
    grid = space()
    hungry = LaunchModel(space=grid, today=replace(TODAY, registers=200))
    small = next(point for point in grid.points() if grid.note(point).startswith("BLOCK 256 -> 128"))
    assert hungry.promise(small) > hungry.promise(grid.written)
    idle = LaunchModel(space=grid, today=replace(TODAY, registers=16))
    assert max(grid.points(), key=idle.promise) == grid.written
