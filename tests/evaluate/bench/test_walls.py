"""Whether what is timed can stand behind walls: found out once, with no candidate near, and with a reason if not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from kmaint.evaluate import Bench
from kmaint.evaluate.bench import open_air, walls_to_time
from kmaint.records.harness import Harness
from kmaint.sandbox import DISK_BYTES


@pytest.fixture
def walled(bench: Bench) -> Bench:
    if bench.walls.level == "none":
        pytest.skip(f"no walls on this machine: {bench.walls.reason}")
    return dataclasses.replace(bench, known={})


def within(bench: Bench, *words: str) -> Bench:
    return dataclasses.replace(bench, walls=dataclasses.replace(bench.walls, within=words), known={})


def test_walls_that_keep_out_and_let_compile_are_used(walled: Bench, harness: Harness, tmp_path: Path) -> None:
    """A C compiler among them: Triton has what launches a kernel compiled the first time."""
    assert open_air(walled) == ""
    found = walls_to_time(harness, [tmp_path / "candidate.py"], walled, tmp_path, writes=[tmp_path / "lock"])
    assert found is not None
    assert found["words"][:2] == ["--write", str(tmp_path / "lock")]
    assert int(found["words"][found["words"].index("--disk") + 1]) >= DISK_BYTES


def test_walls_that_keep_nothing_out_are_none(walled: Bench, harness: Harness, tmp_path: Path) -> None:
    bare = within(walled, "--read", "/", "--write", "/", "--outward", "--keep", "--")
    assert open_air(bare) == "they do not keep a file out that is not the worker's own"
    assert walls_to_time(harness, [tmp_path / "candidate.py"], bare, tmp_path) is None


def test_walls_behind_which_nothing_compiles_are_not_used(walled: Bench) -> None:
    words = [*walled.walls.within]
    while "/usr" in words:  # where the compiler and the system's libraries lie
        at = words.index("/usr")
        del words[at - 1 : at + 1]
    assert open_air(within(walled, *words)) != ""


def test_without_walls_the_reason_is_the_machine_s(bench: Bench, harness: Harness, tmp_path: Path) -> None:
    bare = within(bench)
    assert open_air(bare) == bare.walls.reason
    assert walls_to_time(harness, [tmp_path / "candidate.py"], bare, tmp_path) is None
