"""Runs other programs: the only caller of subprocess. A child that overruns is killed with its whole process group."""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from kmaint.errors import MissingError
from kmaint.stop import NEVER, Stop

MAX_OUTPUT = 1 << 20
"""Bytes of each stream that are kept: the end of it, where a traceback stands."""

POLL_S = 0.2
"""How soon the end of a child is seen whose output a grandchild keeps open."""

PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_VISIBLE_DEVICES",
    "PYTHONPATH",
)


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a child ended. `signal` is set when a signal ended it; `timed_out` when that was us, past the limit."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool

    @property
    def signal(self) -> str | None:
        return signal.Signals(-self.code).name if self.code < 0 else None


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a measured child gets: no tokens, no proxies; with PYTHONSAFEPATH its folder shadows nothing."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**kept, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1", **(extra or {})}


def run_child(
    argv: Sequence[str | Path],
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
    stop: Stop = NEVER,
) -> Finished:
    """Run to the end or to the limit; every process of the child's group is dead when this returns.

    Output goes through files, not pipes: a grandchild that keeps a pipe open cannot make us wait for it. Stopped where
    what it does was let go of meanwhile.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
        given.write(stdin.encode())
        given.seek(0)
        process = _start(argv, env=env, cwd=cwd, stdin=given, stdout=out, stderr=err)
        timed_out = False
        with _until(stop, process):
            try:
                process.wait(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                timed_out = True
        seconds = time.monotonic() - started
        return ended_with(process.returncode, out, err, seconds=seconds, timed_out=timed_out)


@contextlib.contextmanager
def _until(stop: Stop, process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The child with its group for as long as the block lasts, or until it is let go of: it is gone after that."""
    with stop.ending(partial(signal_group, process, signal.SIGKILL)):
        try:
            yield
        finally:
            kill_group(process)
            _close_pipes(process)


def ended_with(code: int, out: IO[bytes], err: IO[bytes], *, seconds: float, timed_out: bool) -> Finished:
    """The record of a child whose output went to these files."""
    return Finished(code=code, stdout=_tail(out), stderr=_tail(err), seconds=seconds, timed_out=timed_out)


def talk(
    argv: Sequence[str | Path],
    hear: Callable[[str], str | None],
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stop: Stop = NEVER,
) -> Finished:
    """As `run_child`, with live pipes: `hear` gets "" at the start and each line of output the moment it comes.

    What it gives back, if anything, is the child's next line of input.
    """
    deadline = time.monotonic() + timeout_s
    started, timed_out, heard = time.monotonic(), False, [""]
    with tempfile.TemporaryFile() as err:
        process = _start(argv, env=env, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err)
        with _until(stop, process):
            try:
                assert process.stdin is not None and process.stdout is not None
                exchange(
                    process.stdin, process.stdout, hear, heard, over=lambda: process.poll() is not None, until=deadline
                )
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except (subprocess.TimeoutExpired, TimeoutError):
                timed_out = True
        return Finished(
            code=process.returncode,
            stdout="\n".join(heard[1:]),
            stderr=_tail(err),
            seconds=time.monotonic() - started,
            timed_out=timed_out,
        )


def follow(
    argv: Sequence[str | Path],
    tell: Callable[[str], None],
    *,
    stdout: IO[bytes],
    env: Mapping[str, str],
    stopped: Callable[[], bool],
) -> int:
    """Run to the end: each line of standard error is told the moment it comes, standard output goes to the file, whole.

    Killed with its group once `stopped` says so; -9 then, as for any other signal, and else its exit status.
    """

    def hear(line: str) -> None:
        if stopped():
            raise TimeoutError
        if line:
            tell(line)

    def over() -> bool:
        hear("")
        return process.poll() is not None

    with open(os.devnull, "rb+", buffering=0) as nothing:  # noqa: PTH123 - pathlib's open has no such mode for a device
        process = _start(argv, env=env, cwd=None, stdin=nothing, stdout=stdout, stderr=subprocess.PIPE)
        try:
            assert process.stderr is not None
            exchange(nothing, process.stderr, hear, [], over=over, until=math.inf)
            process.wait()
        except TimeoutError:
            pass
        finally:
            kill_group(process)
            if process.stderr is not None:
                process.stderr.close()
    return process.returncode


def exchange(
    stdin: IO[bytes],
    stdout: IO[bytes],
    hear: Callable[[str], str | None],
    heard: list[str],
    *,
    over: Callable[[], bool],
    until: float,
) -> None:
    """Until the child closes its output, or is `over` and leaves it to a grandchild; TimeoutError past the deadline."""
    pending, ended = b"", False
    answer = hear("")
    while True:
        if answer is not None:
            with contextlib.suppress(BrokenPipeError):
                stdin.write(answer.encode() + b"\n")
                stdin.flush()
            answer = None
        if b"\n" not in pending:
            ready, _, _ = select.select([stdout], [], [], POLL_S)
            if not ready and ended:
                return
            if not ready:
                ended = over()
                if time.monotonic() > until:
                    raise TimeoutError
                continue
            piece = os.read(stdout.fileno(), 1 << 16)
            if not piece:
                return
            pending += piece
            continue
        line, _, pending = pending.partition(b"\n")
        heard.append(line.decode(errors="replace"))
        answer = hear(heard[-1])


@contextlib.contextmanager
def conversing(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: IO[bytes] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A child to talk to over its standard streams; its group is killed on the way out.

    Its standard error goes to `log`, or nowhere.
    """
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log or subprocess.DEVNULL}
    process = _start(argv, env=env, cwd=cwd, **streams)
    try:
        yield process
    finally:
        kill_group(process)
        _close_pipes(process)


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


@contextlib.contextmanager
def connected(argv: Sequence[str | Path], *, env: Mapping[str, str]) -> Iterator[socket.socket]:
    """A child whose standard input is the other end of this socket; its group is killed on the way out."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            process = _start(
                argv, env=env, cwd=None, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        try:
            yield ours
        finally:
            kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the child's process group and reap the child."""
    signal_group(process, signal.SIGKILL)
    process.wait()


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Tell what is left of the child's process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _start(
    argv: Sequence[str | Path], *, env: Mapping[str, str] | None, cwd: Path | None, **streams: object
) -> subprocess.Popen[bytes]:
    return popen(argv, env=None if env is None else dict(env), cwd=cwd, start_new_session=True, **streams)


def popen(argv: Sequence[str | Path], **options: object) -> subprocess.Popen[bytes]:
    """Start a program; MissingError where there is none of that name."""
    words = [os.fspath(word) for word in argv]
    try:
        return subprocess.Popen(words, **options)  # type: ignore[call-overload,no-any-return]  # noqa: S603 - an argument list, never a shell
    except FileNotFoundError as error:
        raise MissingError(f"cannot start {words[0]!r}: no such program", "give its full path") from error


def _tail(stream: IO[bytes]) -> str:
    end = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, end - MAX_OUTPUT))
    return stream.read().decode(errors="replace")
