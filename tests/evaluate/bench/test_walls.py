"""Whether what is timed can stand behind walls: found out once, with no candidate near, and with a reason if not."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest

from kmaint.child import clean_environment, run_child
from kmaint.evaluate import Bench
from kmaint.evaluate.bench import OPEN_AIR, WORKER, environment_of, open_air, walls_for, walls_to_time
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


@pytest.mark.parametrize("told", [True, False], ids=["told of them", "not told"])
def test_a_turn_can_be_taken_from_behind_them_by_who_is_told_where(
    walled: Bench, harness: Harness, tmp_path: Path, told: bool
) -> None:
    """By a worker that is told of turns, as on a GPU: it opens their files once it has shut itself in."""
    (room := tmp_path / "room").mkdir()
    turns, secret = taken_at(tmp_path / "gpu.lock"), tmp_path / "secret"
    secret.write_text("not to be read")
    walls = walls_to_time(harness, [room / "candidate.py"], walled, room, writes=turns if told else ())
    shared = {"uuid": None, "gpu": False, "scratch": str(room), "secret": str(secret), "walls": walls}
    asked = {"command": "hear", "shared": shared, "items": [{"path": ""}], "item_limit_s": 60, "turns": str(turns[0])}
    ended = subprocess.run(
        [walled.python, WORKER],
        input=f"{json.dumps(asked)}\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=room,
        env=environment_of(harness.folder, room, gpu=False, interpret=True),
    )
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    if told:
        assert [one["event"] for one in said] == ["started", "done"]
        assert said[1]["value"]["read"] is False
    else:
        assert (said, ended.returncode) == ([], 1)
        assert "PermissionError" in ended.stderr


WRITES = """
import json, sys, tempfile

sys.path.insert(0, {package!r})
from workers.walls import shut_in

tempfile.tempdir = "/tmp"  # as an import leaves it that asked for a place while there were no walls
shut_in(json.loads({walls!r}), None, watching=False)
with tempfile.NamedTemporaryFile(suffix=".ptx") as file:
    print(file.name)
"""


def test_a_place_for_files_that_was_found_before_them_is_found_anew(
    walled: Bench, harness: Harness, tmp_path: Path
) -> None:
    walls = walls_for(harness, [tmp_path / "candidate.py"], walled, tmp_path)
    program = WRITES.format(package=str(WORKER.parent), walls=json.dumps(walls))
    ended = run_child([walled.python, "-c", program], timeout_s=60, env=clean_environment(), cwd=tmp_path)
    assert ended.code == 0, ended.stderr
    assert Path(ended.stdout.strip()).parent == tmp_path
