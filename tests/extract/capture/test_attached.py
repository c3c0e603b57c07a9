"""A user's own command, run attached, has our terminal and is outlived by us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from extract.capture.attached import run_attached


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + 9),
        ("import os; assert os.getpgrp() == os.getpid()", 0),
    ],
)
def test_an_attached_command_says_how_it_ended_as_in_a_shell(code: str, status: int) -> None:
    assert run_attached(python(code), env=os.environ) == status


def test_an_attached_command_has_our_streams() -> None:
    ended = subprocess.run(attached("print(input() * 2)"), input="in", capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("inin\n", "", 7)


WAITING = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever a shell's background made of it
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""


def attached(code: str) -> list[str]:
    """A process that runs the code attached, and ends with 7 more than that did: it outlived it."""
    return python(
        f"import os, sys; from extract.capture.attached import run_attached\n"
        f"sys.exit(7 + run_attached([sys.executable, '-c', {code!r}], env=os.environ))"
    )


@pytest.mark.parametrize(
    ("number", "status", "rest"), [(signal.SIGINT, 7, "interrupted\n"), (signal.SIGTERM, 128 + 15 + 7, "")]
)
def test_signals_are_passed_on_and_outlived(number: signal.Signals, status: int, rest: str) -> None:
    with subprocess.Popen(attached(WAITING), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.read() == rest
    assert process.returncode == status


def test_control_c_at_a_terminal_reaches_the_attached_command_and_the_terminal_comes_back() -> None:
    code = f"{attached(WAITING)[2].replace('sys.exit(', 'status = (')}; print('back', status, input())"
    spawn = python(f"import pty, sys; sys.exit(pty.spawn([sys.executable, '-c', {code!r}]) >> 8)")
    with subprocess.Popen(spawn, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"ready\r\n"
        process.stdin.write(b"\x03")
        process.stdin.flush()
        assert process.stdout.readline() == b"^Cinterrupted\r\n"
        process.stdin.write(b"again\n")
        process.stdin.flush()
        assert b"back 7 again" in process.stdout.read()
    assert process.returncode == 0
