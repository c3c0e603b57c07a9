"""What is said of an engine that gives no answer: it hung, it ended, or it ended in the middle of one."""

from __future__ import annotations

import sys
import tempfile
import time

import pytest

from kmaint.child import conversing
from kmaint.errors import UsageError
from reintegrate.engine.session import Talk

READS = "import os, sys, time; sys.stdin.readline(); "


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
