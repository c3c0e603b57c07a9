"""What is said of an engine that gives no answer: it hung, it ended, or it ended in the middle of one."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kmaint.child import conversing
from kmaint.errors import UsageError
from reintegrate.engine.session import Talk

READS = "import os, sys, time; sys.stdin.readline(); "


def test_an_engine_and_what_it_started_stand_still_while_nobody_asks(tmp_path: Path) -> None:
    """Each of its two processes counts as fast as it can."""
    program = """
import json, os, pathlib, sys, threading, time
def counting(path):
    with path.open("ab", buffering=0) as file:
        while True:
            file.write(b".")
            time.sleep(0.001)
folder = pathlib.Path(sys.argv[1])
if not os.fork():
    counting(folder / "worker")
threading.Thread(target=counting, args=[folder / "engine"], daemon=True).start()
for line in sys.stdin:
    time.sleep(0.2)
    print(json.dumps({}), flush=True)
"""

    def counted() -> list[int]:
        return [(tmp_path / name).stat().st_size for name in ("engine", "worker")]

    with tempfile.TemporaryFile() as log, conversing([sys.executable, "-c", program, tmp_path], log=log) as process:
        talk = Talk(process, "base", log)
        talk.ask({}, 20.0)
        time.sleep(0.1)  # a signal may come a moment later
        stood = counted()
        time.sleep(0.5)
        assert counted() == stood
        talk.ask({}, 20.0)
        assert all(now > then for now, then in zip(counted(), stood, strict=True))


STARTS = """
import sys, tempfile, time
from kmaint.child import conversing
from reintegrate.engine.session import Talk, ended_with_us
program = "import sys; [print('{}', flush=True) for line in sys.stdin]"
with (
    tempfile.TemporaryFile() as log,
    conversing([sys.executable, "-c", program], log=log) as process,
    ended_with_us(process),
):
    Talk(process, "base", log).ask({}, 20.0)
    print(process.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_engine_ends_with_whoever_started_it(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        engine = int(starter.stdout.readline())
        stopped = within(20.0, lambda: state(engine) == "T")
        starter.send_signal(number)
    assert stopped
    assert within(20.0, lambda: state(engine) in ("", "Z"))


def state(process: int) -> str:
    """As /proc has it; empty of one that is no more."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return ""


def within(limit_s: float, holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + limit_s
    while not (found := holds()) and time.monotonic() < until:
        time.sleep(0.02)
    return found


@pytest.mark.parametrize(
    ("program", "limit_s", "said"),
    [
        ("time.sleep(60)", 0.5, "the base engine: no answer within 0.5 s; it said nothing"),
        ("os.fork(); time.sleep(60)", 0.5, "the base engine: no answer within 0.5 s; it said nothing"),
        ("sys.exit('out of memory')", 20.0, "the base engine: its process ended without an answer; out of memory"),
        ("sys.stdout.write('{')", 20.0, "the base engine: its process ended without an answer"),
    ],
)
def test_an_engine_without_an_answer_is_killed_and_told_of(program: str, limit_s: float, said: str) -> None:
    started = time.monotonic()
    with (
        tempfile.TemporaryFile() as log,
        conversing([sys.executable, "-c", READS + program], log=log) as process,
        pytest.raises(UsageError, match=said),
    ):
        Talk(process, "base", log).ask({}, limit_s)
    assert time.monotonic() - started < 15
