"""What measured code cannot do behind the walls, tried by code that does its worst in real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from kmaint.child import run_child
from kmaint.sandbox import NO_WALLS, Level, Sandbox, sandbox
from kmaint.sandbox.walls import _breach, _prefix

PYTHON = Path(sys.executable)


@dataclass(frozen=True)
class Said:
    """How a program ended behind the walls."""

    code: int
    text: str


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def walls(request: pytest.FixtureRequest) -> Sandbox:
    """Each level that this machine has, forced."""
    level: Level = request.param
    found = sandbox(PYTHON, gpu=False, most=level)
    if found.level != level:
        pytest.skip(f"not on this machine: {found.reason}")
    return found


def behind(walls: Sandbox, folder: Path, program: str) -> Said:
    view, room = folder / "view", folder / "room"
    view.mkdir()
    room.mkdir()
    (view / "program.py").write_text(program)
    ended = run_child([*walls.around(view, room), PYTHON, view / "program.py"], timeout_s=60.0, cwd=room, env={})
    return Said(ended.code, ended.stdout + ended.stderr)


def test_the_self_test_sees_that_nothing_keeps_anything_out() -> None:
    said = _breach(NO_WALLS, PYTHON, gpu=False)
    assert said.startswith("it does not keep out: read what is not its own, signal to the parent")


def test_a_level_is_taken_only_after_the_trial() -> None:
    found = sandbox(PYTHON, gpu=False)
    assert found.level in ("bubblewrap", "landlock", "none")
    assert bool(found.prefix) == (found.level != "none")
    assert found.level == "bubblewrap" or found.reason.startswith("bubblewrap: ")


def test_torch_computes_in_a_room_of_its_own(walls: Sandbox, tmp_path: Path) -> None:
    program = (
        "import torch, pathlib\n"
        "pathlib.Path('kept').write_text('x')\n"
        "print(torch.ones(3).sum().item(), pathlib.Path('kept').read_text())"
    )
    assert behind(walls, tmp_path, program) == Said(0, "3.0 x\n")


def test_with_a_gpu_threads_get_names_and_nothing_else_of_a_process_is_written(tmp_path: Path) -> None:
    """CUDA's driver starts only where it may name its threads, so this stands in for it on machines without one."""
    if sandbox(PYTHON, gpu=False, most="landlock").level != "landlock":
        pytest.skip("no Landlock on this machine")
    program = """
import os, threading
def names(path):
    try:
        open(path, "w").write("1000")
        return "written"
    except OSError:
        return "refused"
own = lambda: print(names(f"/proc/self/task/{threading.get_native_id()}/comm"))
thread = threading.Thread(target=own)
thread.start(); thread.join()
print(names("/proc/self/oom_score_adj"), names(f"/proc/{os.getppid()}/comm"))
"""
    walls = Sandbox(level="landlock", prefix=_prefix("landlock", PYTHON, gpu=True))
    assert behind(walls, tmp_path, program) == Said(0, "written\nrefused refused\n")
    bare = Sandbox(level="landlock", prefix=_prefix("landlock", PYTHON, gpu=False))
    (tmp_path / "bare").mkdir()
    assert behind(bare, tmp_path / "bare", program) == Said(0, "refused\nrefused refused\n")


def test_other_files_can_be_neither_read_nor_written(walls: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden")
    program = f"""
secret, more = {str(tmp_path / "secret")!r}, {str(tmp_path / "view" / "more")!r}
for path, mode in ((secret, "r"), (more, "w"), ("/etc/hostname", "r")):
    try:
        open(path, mode)
    except OSError:
        print("refused")
"""
    assert behind(walls, tmp_path, program) == Said(0, "refused\n" * 3)


def test_the_parent_gets_no_signal(walls: Sandbox, tmp_path: Path) -> None:
    program = f"import os\ntry:\n    os.kill({os.getpid()}, 0)\nexcept OSError as error:\n    print(error.strerror)"
    assert behind(walls, tmp_path, program) == Said(0, "Operation not permitted\n")


def test_no_connection_leaves(walls: Sandbox, tmp_path: Path) -> None:
    program = "import socket\ntry:\n    socket.socket()\nexcept OSError as error:\n    print(error.strerror)"
    assert behind(walls, tmp_path, program) == Said(0, "Operation not permitted\n")


def test_threads_start_and_processes_do_not(walls: Sandbox, tmp_path: Path) -> None:
    """A fork bomb ends at its first fork, by whatever way it asks for one."""
    program = """
import ctypes, os, subprocess, threading
thread = threading.Thread(target=print, args=("thread",))
thread.start()
thread.join()
for fork in (os.fork, lambda: subprocess.run(["/bin/true"]), lambda: os.posix_spawn("/bin/true", ["true"], {})):
    try:
        print("forked", fork())
    except OSError as error:
        print(error.strerror)
print(ctypes.CDLL(None).fork())
"""
    said = behind(walls, tmp_path, program)
    assert said == Said(0, "thread\n" + "Operation not permitted\n" * 3 + "-1\n")


def test_a_full_disk_is_its_own_trouble(walls: Sandbox, tmp_path: Path) -> None:
    program = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with open("large", "wb") as file:
        file.truncate(1 << 40)
        print("no end")
except OSError as error:
    print(error.strerror)
"""
    assert behind(walls, tmp_path, program) == Said(0, "File too large\n")
    assert not (tmp_path / "room" / "large").exists() or (tmp_path / "room" / "large").stat().st_size <= 1 << 30


def test_memory_has_an_end(walls: Sandbox, tmp_path: Path) -> None:
    program = "try:\n    bytearray(1 << 46)\nexcept MemoryError:\n    print('enough')"
    assert behind(walls, tmp_path, program) == Said(0, "enough\n")


def test_an_exit_is_no_more_than_an_exit(walls: Sandbox, tmp_path: Path) -> None:
    assert behind(walls, tmp_path, "import os\nos._exit(7)") == Said(7, "")


def test_its_environment_is_what_it_was_given(walls: Sandbox, tmp_path: Path) -> None:
    said = behind(walls, tmp_path, "import json, os\nprint(json.dumps(sorted(os.environ)))")
    assert set(json.loads(said.text)) <= {"LC_CTYPE", "PWD"}


def test_what_hangs_is_killed_with_all_that_it_started(walls: Sandbox, tmp_path: Path) -> None:
    program = tmp_path / "view" / "program.py"
    program.parent.mkdir()
    (tmp_path / "room").mkdir()
    program.write_text("import os\nopen('pid', 'w').write(str(os.getpid()))\nwhile True: pass")
    started = time.monotonic()
    ended = run_child(
        [*walls.around(program.parent, tmp_path / "room"), PYTHON, program],
        timeout_s=2.0,
        cwd=tmp_path / "room",
        env={},
    )
    assert ended.timed_out
    assert ended.signal == signal.SIGKILL.name
    assert time.monotonic() - started < 30
    while subprocess.run(["pgrep", "-f", str(program)], capture_output=True, check=False).stdout:
        assert time.monotonic() - started < 30
