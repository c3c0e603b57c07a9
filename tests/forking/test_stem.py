"""The stem: one interpreter with torch for all that follow, in which nobody's doings stay."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from kmaint.child import clean_environment, run_child
from kmaint.forking.programs import Program
from kmaint.forking.stem import run_with_torch, stem

TELLS = """
import os, sys
print(os.getppid(), "torch" in sys.modules, "triton" in sys.modules, sys.dont_write_bytecode, os.environ.get("TOLD"))
import beside
"""


def tells(folder: Path) -> list[str]:
    (folder / "tells.py").write_text(TELLS)
    (folder / "beside.py").write_text("")
    environment = clean_environment({"PYTHONPATH": str(folder), "TOLD": "this"})
    ended = run_with_torch([sys.executable, folder / "tells.py"], timeout_s=60, env=environment)
    assert ended.code == 0, ended.stderr
    return ended.stdout.split()


def test_programs_are_forked_of_one_that_has_imported_torch_alone(tmp_path: Path) -> None:
    first, second = tells(tmp_path), tells(tmp_path)
    assert first == second == [first[0], "True", "False", "True", "this"]
    assert not (tmp_path / "__pycache__").exists()
    assert stem(sys.executable) is stem(sys.executable)
    assert stem(sys.executable) is not stem(sys.executable, str(tmp_path)), "it looks for modules elsewhere"


def test_one_that_was_killed_is_replaced(tmp_path: Path) -> None:
    before = tells(tmp_path)[0]
    old = stem(sys.executable)
    os.kill(int(before), signal.SIGKILL)
    while not old.ended:
        time.sleep(0.01)
    after = tells(tmp_path)[0]
    assert after not in (before, str(os.getpid()))
    assert stem(sys.executable) is not old


def test_an_interpreter_without_torch_runs_the_program_itself(tmp_path: Path) -> None:
    run_child([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], timeout_s=120)
    python = tmp_path / "bare" / "bin" / "python"
    (tmp_path / "asks.py").write_text("import sys; print(sys.stdin.read(), sys.executable); import torch")
    ended = run_with_torch([python, tmp_path / "asks.py"], timeout_s=60, stdin="given")
    assert (ended.code, ended.stdout) == (1, f"given {python}\n")
    assert "No module named 'torch'" in ended.stderr


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = "import sys; from kmaint.forking.stem import stem; stem(sys.executable).wait(); print('warm')"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = run_child([sys.executable, "-c", program], timeout_s=120, env=environment, cwd=tmp_path)
    assert (ended.code, ended.stdout) == (0, "warm\n")
    deadline = time.monotonic() + 10
    while [path for path in Path("/proc").glob("[0-9]*/cwd") if _folder_of(path) == tmp_path]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _folder_of(path: Path) -> Path | None:
    try:
        return path.readlink()
    except OSError:  # it ended meanwhile
        return None


def test_streams_of_a_program_are_open_as_long_as_the_block_lasts(tmp_path: Path) -> None:
    (tmp_path / "echoes.py").write_text("import sys\nfor line in sys.stdin:\n    print(line.strip() * 2, flush=True)\n")
    program = Program(argv=[tmp_path / "echoes.py"], env=clean_environment(), cwd=tmp_path)
    with stem(sys.executable).conversing(program) as (stdin, stdout):
        for word in (b"a", b"b"):
            stdin.write(word + b"\n")
            stdin.flush()
            assert stdout.readline() == word * 2 + b"\n"
