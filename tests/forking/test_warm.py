from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmaint.child import run_child
from kmaint.forking.warm import Beforehand, Zygote, warm_interpreter

PROGRAM = """
import os, subprocess, sys, time

def double(number):
    return 2 * number

def wrong():
    raise ValueError("no such thing\\nmore")

def ends():
    os._exit(3)

def segfaults():
    os.kill(os.getpid(), 11)

def hangs(file):
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep(3); open({file!r}, 'w')"])
    time.sleep(60)

def sleeps():
    time.sleep(60)

def known():
    import known
    return [known.COUNT, known.__file__.split("/")[-1] in os.listdir(".")]

def greedy():
    import torch
    return torch.zeros(1 << 34).sum().item()

def here():
    import beside
    return [os.getcwd(), beside.NAME, "extract" in sys.modules, sys.stdin.read()]
"""


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    own = tmp_path_factory.mktemp("own")
    (own / "known.py").write_text("COUNT = []\n\ndef note():\n    COUNT.append(1)\n")
    with warm_interpreter(sys.executable, Beforehand(path=own, modules=("known",), calls=("known:note",))) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "beside.py").write_text("NAME = 'beside'")
    return tmp_path


def test_work_is_done_in_its_folder_and_answered(zygote: Zygote, folder: Path) -> None:
    program = folder / "program.py"
    assert zygote.ask(program, "double", folder, limit_s=10, number=4).value == 8
    assert zygote.ask(program, "here", folder, limit_s=10).value == [str(folder), "beside", False, ""]


def test_what_was_imported_beforehand_is_there_in_every_fork(zygote: Zygote, folder: Path) -> None:
    for _ in range(2):
        assert zygote.ask(folder / "program.py", "known", folder, limit_s=10).value == [[1], False]


@pytest.mark.parametrize(
    ("function", "error", "lost"),
    [
        ("wrong", "ValueError: no such thing", False),
        ("ends", "ended with exit status 3", True),
        ("segfaults", "ended by SIGSEGV", True),
    ],
)
def test_what_goes_wrong_is_an_answer(zygote: Zygote, folder: Path, function: str, error: str, lost: bool) -> None:
    answer = zygote.ask(folder / "program.py", function, folder, limit_s=10)
    assert (answer.error, answer.lost) == (error, lost)


def test_work_that_hangs_is_killed_with_all_it_started(zygote: Zygote, folder: Path) -> None:
    mark = folder / "survived"
    answer = zygote.ask(folder / "program.py", "hangs", folder, limit_s=1, file=str(mark))
    assert (answer.error, answer.lost) == ("no answer within 1 s", True)
    time.sleep(4)
    assert not mark.exists()


KILLED = """
import os, sys, threading
from pathlib import Path
from kmaint.forking.warm import Beforehand, warm_interpreter
folder = Path(sys.argv[1])
with warm_interpreter(sys.executable, Beforehand(path=folder)) as zygote:
    threading.Timer(0.5, os.abort).start() if zygote.missing == "" else None
    zygote.ask(folder / "program.py", "sleeps", folder, limit_s=60)
"""


def test_work_dies_with_whoever_asked_for_it(folder: Path) -> None:
    (folder / "killed.py").write_text(KILLED)
    finished = run_child([sys.executable, folder / "killed.py", folder], timeout_s=60)
    assert finished.signal == "SIGABRT"
    deadline = time.monotonic() + 5
    while _at_work_in(folder):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _at_work_in(folder: Path) -> list[Path]:
    """Processes whose working folder it is."""
    return [path for path in Path("/proc").glob("[0-9]*/cwd") if _folder_of(path) == folder]


def _folder_of(path: Path) -> Path | None:
    try:
        return path.readlink()
    except OSError:  # it ended meanwhile
        return None


def test_work_may_not_take_the_memory_of_the_machine(zygote: Zygote, folder: Path) -> None:
    answer = zygote.ask(folder / "program.py", "greedy", folder, limit_s=20)
    assert answer.error.startswith("RuntimeError: ") and "memory" in answer.error


def test_an_interpreter_without_torch_says_so(tmp_path: Path, folder: Path) -> None:
    bare = tmp_path / "bare"
    run_child([sys.executable, "-m", "venv", "--without-pip", bare], timeout_s=120)
    with warm_interpreter(str(bare / "bin/python"), Beforehand(path=tmp_path)) as found:
        assert found.missing == "torch"
        assert found.ask(folder / "program.py", "double", folder, limit_s=10, number=4).error == "no torch"
