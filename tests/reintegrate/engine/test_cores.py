"""Engines on the same processors: every thread of every process of a group, and nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reintegrate.engine.cores import SHARED, confine, shared

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
