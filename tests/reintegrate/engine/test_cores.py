"""Engines on the same processors: every thread of every process of a group, and nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reintegrate.engine.cores import SHARED, Stolen, confine, shared

FAMILY = """
import subprocess, sys, threading
threading.Thread(target=sys.stdin.readline, daemon=True).start()
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
child.wait()
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system moves no threads")


def threads(pid: int) -> list[int]:
    return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]


def test_every_thread_of_a_group_is_moved_and_what_they_start_later() -> None:
    before, first = os.sched_getaffinity(0), {min(os.sched_getaffinity(0))}
    words = [sys.executable, "-c", FAMILY]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout is not None
        child = int(leader.stdout.readline())
        moved = [*threads(leader.pid), *threads(child)]
        assert len(moved) == 3
        confine([leader.pid], first)
        assert all(os.sched_getaffinity(thread) == first for thread in moved)
        assert os.sched_getaffinity(0) == before
        os.killpg(leader.pid, 9)


def test_where_there_is_nothing_to_choose_from_nobody_is_moved() -> None:
    found = shared()
    assert len(found) in (0, SHARED)
    assert set(found) <= os.sched_getaffinity(0)
    before = os.sched_getaffinity(0)
    confine([os.getpgid(0)], ())
    confine([2**22 + 1], {min(before)})  # no such group
    assert os.sched_getaffinity(0) == before


def test_one_processor_of_each_core_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Siblings side by side on eight cores, and two processors of which the system says nothing."""
    for number in range(16):
        (folder := tmp_path / f"cpu{number}" / "topology").mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{number // 2 * 2}-{number // 2 * 2 + 1}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(18)))
    assert shared(tmp_path) == (0, 2, 4, 6, 8, 10, 12, 14)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(10)))
    assert shared(tmp_path) == (0, 1, 2, 3, 4, 5, 6, 8)


def stat(*rows: str) -> str:
    return "\n".join([*rows, "intr 1 2 3", ""])


def test_what_the_host_took_is_told_of_the_processors_that_are_named(tmp_path: Path) -> None:
    (file := tmp_path / "stat").write_text(
        stat("cpu 10 0 10 10 0 0 0 0 0 0", "cpu0 5 0 5 5 0 0 0 0 0 0", "cpu1 5 0 5 5 0 0 0 0 0 0")
    )
    named, every = Stolen((1,), file), Stolen((), file)
    assert named.share is None, "no time has gone by"
    file.write_text(stat("cpu 60 0 10 30 0 0 0 30 50 0", "cpu0 45 0 5 15 0 0 0 0 0 0", "cpu1 15 0 5 15 0 0 0 30 0 0"))
    assert named.share == pytest.approx(30 / 50)
    assert every.share == pytest.approx(30 / 100)


@pytest.mark.parametrize("text", [None, "", "cpu 1 2 3\n"])
def test_where_the_system_does_not_say_nothing_is_known(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "stat").write_text(text)
    assert Stolen((), tmp_path / "stat").share is None


def test_this_machine_says() -> None:
    if not Path("/proc/stat").exists():
        pytest.skip("no /proc/stat")
    found, until = Stolen(()), time.monotonic() + 0.5
    while time.monotonic() < until:
        pass
    assert found.share is not None
    assert 0.0 <= found.share <= 1.0
