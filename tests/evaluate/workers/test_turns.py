"""The lock on the GPU: checks share it, a measurement waits for them, a killed holder lets go."""

import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HOLD = """
import sys
from kmaint.evaluate.turns import turn
with turn(alone=sys.argv[1] == "alone"):
    print("has it", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def _own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def hold(how: str) -> subprocess.Popen[str]:
    """A process that takes the lock, says so, and holds it until it is told to let go."""
    argv = [sys.executable, "-c", HOLD, how]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def has_it(process: subprocess.Popen[str], *, within_s: float) -> bool:
    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], within_s)[0])


def test_checks_share_and_a_measurement_waits() -> None:
    one, two = hold("shared"), hold("shared")
    assert has_it(one, within_s=60)
    assert has_it(two, within_s=60)
    measurement = hold("alone")
    assert not has_it(measurement, within_s=2)
    one.communicate("go\n")
    assert not has_it(measurement, within_s=0.5)
    two.communicate("go\n")
    assert has_it(measurement, within_s=60)
    measurement.communicate("go\n")


def test_a_killed_holder_lets_go() -> None:
    holder = hold("alone")
    assert has_it(holder, within_s=60)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    waiting = hold("alone")
    assert has_it(waiting, within_s=60)
    waiting.communicate("go\n")
