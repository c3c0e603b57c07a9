"""The lock on the GPU: checks share it, a measurement waits for them and keeps others out, a killed holder lets go."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HOLD = """
import sys, time
from kmaint.evaluate.turns import turn
with turn(alone=sys.argv[1] == "alone"):
    print(time.monotonic(), flush=True)
    time.sleep(float(sys.argv[2]))
print(time.monotonic(), flush=True)
"""


@pytest.fixture(autouse=True)
def _own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def hold(how: str, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", HOLD, how, str(seconds)], stdout=subprocess.PIPE, text=True)


def began(process: subprocess.Popen[str]) -> float:
    assert process.stdout is not None
    return float(process.stdout.readline())


def test_checks_share_and_a_measurement_waits() -> None:
    one, two = hold("shared", 1.0), hold("shared", 1.0)
    starts = began(one), began(two)
    measurement = hold("alone", 0.3)
    alone = began(measurement)
    ends = began(one), began(two)
    assert max(starts) < min(ends), "the two checks did not overlap"
    assert alone > max(ends)
    measurement.communicate()
    one.communicate()
    two.communicate()


def test_a_killed_holder_lets_go() -> None:
    holder = hold("alone", 60.0)
    began(holder)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    started = time.monotonic()
    waiting = hold("alone", 0.0)
    began(waiting)
    waiting.communicate()
    assert time.monotonic() - started < 20
