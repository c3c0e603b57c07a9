"""A child that overruns, crashes or leaves children of its own behind is gone when run_child returns."""

import itertools
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from kmaint.child import clean_environment, conversing, follow, run_child, talk
from kmaint.errors import MissingError
from kmaint.stop import Stop, Stopped
from tests.letting_go import let_go_once


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_keeps_both_streams_and_the_exit_code() -> None:
    ended = run_child(
        python("import sys; print(input()); sys.stderr.write('err'); sys.exit(3)"), timeout_s=20, stdin="in\n"
    )
    assert (ended.code, ended.stdout, ended.stderr, ended.timed_out, ended.signal) == (3, "in\n", "err", False, None)


def test_kills_the_whole_group_at_the_limit(tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    grandchild = f"import time, pathlib\nwhile True: pathlib.Path({str(beat)!r}).touch(); time.sleep(0.02)"
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {grandchild!r}]); time.sleep(60)"
    ended = run_child(python(parent), timeout_s=1.5)
    assert ended.timed_out
    assert ended.signal == "SIGKILL"
    assert beat.exists(), "the grandchild never ran, so nothing was shown"
    beat.unlink()
    time.sleep(0.2)
    assert not beat.exists()


BEATS = """
import pathlib, subprocess, sys, time
beats = "import pathlib, sys, time\\nwhile True: pathlib.Path(sys.argv[1]).touch(); time.sleep(0.02)"
subprocess.Popen([sys.executable, "-c", beats, sys.argv[1]])
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.02)
print("began", flush=True)
time.sleep(60)
"""
"""Tells when its own child has begun, which leaves a sign of life fifty times a second."""


@pytest.mark.parametrize("talking", [False, True])
def test_what_is_let_go_of_is_killed_with_its_group(tmp_path: Path, talking: bool) -> None:
    beat, stop = tmp_path / "beat", Stop()
    words: list[str | Path] = [*python(BEATS), beat]
    with let_go_once(beat, stop), pytest.raises(Stopped):
        talk(words, lambda _: None, timeout_s=50, stop=stop) if talking else run_child(words, timeout_s=50, stop=stop)
    beat.unlink()
    time.sleep(0.2)
    assert not beat.exists()


def test_a_grandchild_that_keeps_the_pipe_does_not_hold_us() -> None:
    parent = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)']); print('bye')"
    )
    ended = run_child(python(parent), timeout_s=20)
    assert (ended.code, ended.stdout) == (0, "bye\n")
    assert ended.seconds < 10


def test_a_signal_is_named() -> None:
    assert (
        run_child(python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), timeout_s=20).signal == "SIGSEGV"
    )


def test_only_the_end_of_a_flood_is_kept() -> None:
    ended = run_child(python("print('x' * (3 << 20) + 'end')"), timeout_s=20)
    assert len(ended.stdout) == 1 << 20
    assert ended.stdout.endswith("end\n")


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(MissingError) as caught:
        run_child(["/no/such/program"], timeout_s=1)
    assert str(caught.value) == "cannot start '/no/such/program': no such program; give its full path"


def test_a_measured_child_sees_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    told = run_child(python("import os; print(sorted(os.environ.values()))"), timeout_s=20, env=clean_environment())
    assert "secret" not in told.stdout
    assert clean_environment({"A": "b"})["A"] == "b"


def test_a_conversation_ends_with_the_block() -> None:
    with conversing(python("while True: print(input().upper(), flush=True)")) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"hello\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"HELLO\n"
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_talk_hears_each_line_when_it_comes_and_answers_it() -> None:
    """The child says when it got each answer only after a pause: heard at the end, all would come at once."""
    code = "import sys, time\nfor line in sys.stdin:\n    time.sleep(0.3); print('got', line.strip(), flush=True)"
    heard: list[tuple[str, float]] = []

    def hear(line: str) -> str | None:
        heard.append((line, time.monotonic()))
        return str(len(heard)) if len(heard) < 4 else None

    ended = talk(python(code), hear, timeout_s=3.0)
    assert [line for line, _ in heard] == ["", "got 1", "got 2", "got 3"]
    assert all(later - sooner > 0.25 for (_, sooner), (_, later) in itertools.pairwise(heard[1:]))
    assert (ended.stdout, ended.timed_out) == ("got 1\ngot 2\ngot 3", True)  # it waits for a fourth


def test_talk_ends_with_the_child_though_a_grandchild_keeps_the_pipe() -> None:
    start = "import subprocess, sys; subprocess.Popen(['sleep', '30'])"
    parent = f"{start}; print(input()); sys.stderr.write('err'); sys.exit(3)"
    ended = talk(python(parent), lambda line: None if line else "in", timeout_s=20)
    assert (ended.code, ended.stdout, ended.stderr, ended.timed_out) == (3, "in", "err", False)
    assert ended.seconds < 10


def test_talk_survives_a_child_that_ends_without_listening() -> None:
    ended = talk(python("print('bye')"), lambda _line: "x" * (1 << 20), timeout_s=20)
    assert (ended.code, ended.stdout) == (0, "bye")


def test_follow_tells_each_line_when_it_comes_and_keeps_the_output_whole(tmp_path: Path) -> None:
    say = "print(n, file=sys.stderr, flush=True); time.sleep(.2)"
    code = f"import sys, time\nprint('x' * (1 << 21))\nfor n in range(3): {say}"
    told: list[tuple[str, float]] = []
    with (tmp_path / "output").open("wb") as output:
        status = follow(
            python(f"{code}\nsys.exit(5)"),
            lambda line: told.append((line, time.monotonic())),
            stdout=output,
            env=os.environ,
            stopped=lambda: False,
        )
    assert (status, [line for line, _ in told]) == (5, ["0", "1", "2"])
    assert told[2][1] - told[0][1] > 0.3
    assert (tmp_path / "output").stat().st_size == (1 << 21) + 1


@pytest.mark.parametrize("talkative", [True, False])
def test_follow_kills_what_is_stopped(talkative: bool, tmp_path: Path) -> None:
    say = "print('on', file=sys.stderr, flush=True)" if talkative else "pass"
    code = f"import sys, time\nprint('on', file=sys.stderr, flush=True)\nwhile True: {say}; time.sleep(.01)"
    told: list[str] = []
    with (tmp_path / "output").open("wb") as output:
        status = follow(python(code), told.append, stdout=output, env=os.environ, stopped=lambda: bool(told))
    assert status == -signal.SIGKILL
