"""Whether what is timed can stand behind walls: found out once, with no candidate near, and with a reason if not."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path

import pytest

from kmaint.evaluate import Bench
from kmaint.evaluate.bench import OPEN_AIR, asking, open_air, walls_to_time
from kmaint.evaluate.workers.turns import taken_at
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
    assert open_air(walled, harness) == ""
    found = walls_to_time(harness, [tmp_path / "candidate.py"], walled, tmp_path, writes=[tmp_path / "lock"])
    assert found is not None
    assert found["words"][:2] == ["--write", str(tmp_path / "lock")]
    assert int(found["words"][found["words"].index("--disk") + 1]) >= DISK_BYTES


def test_walls_that_keep_nothing_out_are_none(walled: Bench, harness: Harness, tmp_path: Path) -> None:
    bare = within(walled, "--read", "/", "--write", "/", "--outward", "--keep", "--")
    assert open_air(bare, harness) == "they do not keep a file out that is not the worker's own"
    assert walls_to_time(harness, [tmp_path / "candidate.py"], bare, tmp_path) is None


def test_walls_behind_which_nothing_compiles_are_not_used(walled: Bench, harness: Harness) -> None:
    words = [*walled.walls.within]
    while "/usr" in words:  # where the compiler and the system's libraries lie
        at = words.index("/usr")
        del words[at - 1 : at + 1]
    assert open_air(within(walled, *words), harness) != ""


def test_where_the_machine_has_no_walls_none_are_tried(bench: Bench, harness: Harness, tmp_path: Path) -> None:
    bare = within(bench)
    assert walls_to_time(harness, [tmp_path / "candidate.py"], bare, tmp_path) is None
    assert OPEN_AIR not in bare.known  # of the machine, its environment says why


class Shared(Bench):
    """A bench whose turns are taken, as those of a GPU are."""

    @property
    def turns(self) -> Path:
        return Path(tempfile.gettempdir()) / f"kmaint-test-{os.getpid()}.lock"


def test_a_turn_can_be_taken_from_behind_them(walled: Bench, harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told of turns as on a GPU, which a machine without one is not."""
    message = asking._message
    shared = Shared(**{one.name: getattr(walled, one.name) for one in dataclasses.fields(walled)})
    monkeypatch.setattr(asking, "_message", lambda asked, bench: message(dataclasses.replace(asked, gpu=True), shared))
    try:
        assert open_air(shared, harness) == ""
    finally:
        for file in taken_at(shared.turns):
            file.unlink()
