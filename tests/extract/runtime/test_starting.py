"""A candidate's process as a fork of a bare interpreter: what it has of its parent, and what it can reach."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from extract.runtime.starting import Anew, Fork, Process, Start, start_process
from kmaint.child import clean_environment
from kmaint.forking.warm import Beforehand, fork_server
from kmaint.sandbox import sandbox

PYTHON = Path(sys.executable)
Begin = Callable[..., Process]


@pytest.fixture(scope="module")
def forks() -> Iterator[Mapping[str, str]]:
    with fork_server(PYTHON, Beforehand(path=Path(os.devnull), bare=True)) as server:
        yield server.address


@pytest.fixture
def begin(tmp_path: Path, forks: Mapping[str, str]) -> Iterator[Begin]:
    """Starts a program as a fork, or with `anew` in an interpreter of its own; all end with the test."""
    view, room = tmp_path / "view", tmp_path / "room"
    view.mkdir()
    room.mkdir()
    with contextlib.ExitStack() as until:

        def begun(code: str, *words: str, anew: bool = False, **start: Any) -> Process:
            (view / "program.py").write_text(code)
            what = Start(
                words=(str(view / "program.py"), *words),
                env=clean_environment({"PYTHONPATH": str(view), "TOLD": "this"}),
                room=room,
                log=until.enter_context(tempfile.TemporaryFile()),
                **{"walls": (), "kept": (), **start},
            )
            process = Anew(what, sys.executable) if anew else Fork(what, forks)
            until.callback(ended, process)
            return process

        yield begun


def ended(process: Process) -> None:
    process.end()
    process.stdin.close()
    process.stdout.close()


TELLS = """
import os, sys
print(sys.argv[1:], os.environ["TOLD"], os.path.basename(os.getcwd()), input())
sys.exit(3)
"""


@pytest.mark.parametrize("anew", [False, True])
def test_it_is_told_what_a_process_of_its_own_would_be(begin: Begin, anew: bool) -> None:
    process = begin(TELLS, "a", "b", anew=anew)
    process.stdin.write(b"given\n")
    process.stdin.flush()
    assert process.stdout.read() == b"['a', 'b'] this room given\n"
    assert process.wait() == 3


def test_it_has_torch_and_triton_and_nothing_that_tests(begin: Begin) -> None:
    code = """
import sys
print([name in sys.modules for name in ("torch", "triton", "numpy", "pytest", "hypothesis", "kmaint", "runtime")])
"""
    assert begin(code).stdout.read() == b"[True, True, True, False, False, False, False]\n"


def test_open_files_have_the_numbers_that_are_said(begin: Begin, tmp_path: Path) -> None:
    with (tmp_path / "first").open("w+b") as first, (tmp_path / "second").open("w+b") as second:
        code = "import sys, os\nfor n in sys.argv[1:]: os.write(int(n), n.encode())"
        process = begin(code, "4", "3", kept=(first.fileno(), second.fileno()))
        assert list(process.numbers) == [3, 4]
        assert process.wait() == 0
        assert (os.pread(first.fileno(), 9, 0), os.pread(second.fileno(), 9, 0)) == (b"3", b"4")


def test_the_end_takes_its_whole_group_along(begin: Begin, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    code = f"""
import os, pathlib, time
os.fork()
while True:
    pathlib.Path({str(beat)!r}).touch()
    time.sleep(0.02)
"""
    process = begin(code)
    while not beat.exists():
        time.sleep(0.02)
    process.end()
    process.end()
    assert process.wait() == -signal.SIGKILL
    beat.unlink()
    time.sleep(0.2)
    assert not beat.exists()


def test_who_cannot_prove_who_it_is_gets_no_process(forks: Mapping[str, str], tmp_path: Path) -> None:
    with tempfile.TemporaryFile() as log:
        start = Start(words=("-c", ""), walls=(), env={}, room=tmp_path, log=log, kept=())
        process = Fork(start, {**forks, "proof": "guessed"})
        assert process.stdout.read() == b""
        assert process.wait() == -signal.SIGKILL
        ended(process)


def test_where_nobody_forks_it_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMAINT_FORKS", json.dumps({"socket": str(tmp_path / "gone"), "proof": ""}))
    with tempfile.TemporaryFile() as log:
        start = Start(words=("-c", "print('here')"), walls=(), env={}, room=tmp_path, log=log, kept=())
        process = start_process(start, sys.executable)
        assert process.stdout.read() == b"here\n"
        ended(process)


FINDS = """
import gc, hashlib, os, sys
gc.unfreeze()
found = [*sys.argv[2:], *os.environ.values()]
frame = sys._getframe()
while frame is not None:
    found += [str(value) for value in frame.f_locals.values()]
    frame = frame.f_back
found += [one for one in gc.get_referents(*gc.get_objects()) if isinstance(one, (str, bytes))]
found += open("/proc/self/cmdline").read().split("\\0")
words = {one.decode(errors="replace") if isinstance(one, bytes) else one for one in found}
digests = [hashlib.sha256(word.encode(errors="replace")).hexdigest() for word in words]
print(len(words) > 10000, digests.count(sys.argv[1]))
"""


def test_a_fork_does_not_find_what_it_would_have_to_prove(begin: Begin, forks: Mapping[str, str]) -> None:
    digest = hashlib.sha256(forks["proof"].encode()).hexdigest()
    assert begin(FINDS, digest).stdout.read() == b"True 0\n"
    assert begin(FINDS, digest, forks["proof"]).stdout.read() == b"True 1\n", "it would not have been seen"


def test_a_fork_walls_itself_in_before_it_runs_anything(begin: Begin, tmp_path: Path) -> None:
    walls = sandbox(PYTHON, gpu=False, most="landlock")
    if walls.level != "landlock":
        pytest.skip(f"no Landlock on this machine: {walls.reason}")
    (tmp_path / "secret").write_text("hidden")
    code = """
import sys, torch
try:
    print(open(sys.argv[1]).read())
except OSError:
    print("refused", torch.ones(3).sum().item())
"""
    within = tuple(walls.around(tmp_path / "view", tmp_path / "room"))
    assert begin(code, str(tmp_path / "secret")).stdout.read() == b"hidden\n"
    assert begin(code, str(tmp_path / "secret"), walls=within).stdout.read() == b"refused 3.0\n"
