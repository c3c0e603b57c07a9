"""The lock on the GPU: checks share it, a measurement waits for them, a killed holder lets go."""

import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kmaint.evaluate.workers.turns import Turns, taken_at

HOLD = """
import sys
from kmaint.evaluate.workers.turns import Turns, place_of
turns = Turns(place_of("test"), patience_s=float(sys.argv[2]))
with getattr(turns, sys.argv[1])():
    print("has it", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def _own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def hold(how: str, *, patience_s: float = 0.1) -> subprocess.Popen[str]:
    """A process that takes the lock, says so, and holds it until it is told to let go."""
    argv = [sys.executable, "-c", HOLD, how, str(patience_s)]
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


def test_contexts_are_made_one_after_the_other_beside_those_who_check() -> None:
    one, check, two = hold("beginning"), hold("shared"), hold("beginning")
    assert has_it(check, within_s=60)
    first, second = (one, two) if has_it(one, within_s=30) else (two, one)
    assert not has_it(second, within_s=2)
    first.communicate("go\n")
    assert has_it(second, within_s=60)
    for process in (check, second):
        process.communicate("go\n")


def test_who_waits_to_measure_goes_before_later_checks() -> None:
    check = hold("shared")
    assert has_it(check, within_s=60)
    first, second = hold("alone"), hold("alone")
    assert not has_it(first, within_s=2)
    later = hold("shared")
    assert not has_it(later, within_s=2), "it would have got in beside the check that still runs"
    check.communicate("go\n")
    (holder,) = (one for one in (first, second) if has_it(one, within_s=2))
    holder.communicate("go\n")
    other = second if holder is first else first
    assert has_it(other, within_s=60)
    assert not has_it(later, within_s=0.5)
    other.communicate("go\n")
    assert has_it(later, within_s=60)
    later.communicate("go\n")


def test_as_long_as_it_is_patient_others_go_on_sharing() -> None:
    check = hold("shared")
    assert has_it(check, within_s=60)
    measurement = hold("alone", patience_s=600)
    assert not has_it(measurement, within_s=2)
    later = hold("shared")
    assert has_it(later, within_s=60)
    hurried = hold("alone")
    assert not has_it(hurried, within_s=2)
    check.communicate("go\n")
    later.communicate("go\n")
    (holder,) = (one for one in (measurement, hurried) if has_it(one, within_s=10))
    holder.communicate("go\n")
    other = hurried if holder is measurement else measurement
    assert has_it(other, within_s=60), "it waits for who was there before, and not for its patience to end"
    other.communicate("go\n")


def test_a_gpu_that_nobody_has_is_taken_at_once() -> None:
    alone = hold("alone", patience_s=600)
    assert has_it(alone, within_s=60)
    alone.communicate("go\n")


def test_a_killed_holder_lets_go() -> None:
    holder = hold("alone")
    assert has_it(holder, within_s=60)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    waiting = hold("alone")
    assert has_it(waiting, within_s=60)
    waiting.communicate("go\n")


def test_the_files_of_the_turns_are_there_before_anyone_takes_one(tmp_path: Path) -> None:
    files = taken_at(tmp_path / "gpu.lock")
    assert all(file.is_file() for file in files)
    with Turns(tmp_path / "gpu.lock").shared():
        assert set(tmp_path.iterdir()) == set(files)
