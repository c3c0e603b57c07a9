from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from extract.trying.parallel import WorkerLostError, in_processes


@contextlib.contextmanager
def doubling() -> Iterator[Callable[[int], tuple[int, int]]]:
    def double(number: int) -> tuple[int, int]:
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * number, os.getpid()

    yield double


def test_work_is_shared_and_a_lost_process_costs_one_item() -> None:
    outcomes = dict(in_processes(doubling, range(8), 2))
    lost = outcomes.pop(3)
    assert isinstance(lost, WorkerLostError)
    assert str(lost) == "its process ended with status -9"
    found = {item: outcome for item, outcome in outcomes.items() if isinstance(outcome, tuple)}
    assert {item: double for item, (double, _) in found.items()} == {n: 2 * n for n in (0, 1, 2, 4, 5, 6, 7)}
    assert os.getpid() not in {process for _, process in found.values()}


ENDLESS = """
import contextlib, os, sys, time
from extract.trying.parallel import in_processes

@contextlib.contextmanager
def sleeping():
    def sleep(file):
        open(file, "w").write(str(os.getpid()))
        time.sleep(1.5)
    yield sleep

if __name__ == "__main__":
    for _ in in_processes(sleeping, sys.argv[1:], 2):
        pass
"""


def test_processes_end_with_the_one_that_asked_them_even_if_that_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "endless.py"
    program.write_text(ENDLESS)
    marks = [tmp_path / str(number) for number in range(4)]
    with subprocess.Popen(
        [sys.executable, program, *marks], env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    ) as process:
        while not (marks[0].exists() and marks[1].exists() and marks[1].read_text()):
            time.sleep(0.05)
        process.kill()
    time.sleep(3)
    assert not marks[2].exists()
    assert not [mark for mark in marks[:2] if lives(int(mark.read_text()))]


def lives(process: int) -> bool:
    """Whether it runs: one that ended may stay listed as a zombie where nobody asks how it did."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
