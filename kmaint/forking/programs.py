"""Runs programs of the target's interpreter as forks of a warm one: server.py is the other side.

A drop-in for kmaint.child.run_child where the interpreter's start is what takes the time; any thread may ask.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO

from kmaint.child import Finished, ended_with, exchange
from kmaint.errors import InternalError, MissingError
from kmaint.stop import NEVER, Stop

START_S = 300.0
"""To import torch on a cold disk."""
KILLED_S = 30.0
"""For the server to kill a program and to say so."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run, without the interpreter: a file or "-m" and a module, and its arguments.

    `threads` are torch's; one that is `patient` leaves the processor to others that want it. One that `serves` has
    programs of its own, and ends them when it gets a SIGTERM. It is killed when `stop` lets go of what it does.
    """

    argv: Sequence[str | Path]
    env: Mapping[str, str]
    cwd: Path
    threads: int = 1
    patient: bool = False
    serves: bool = False
    stop: Stop = field(default=NEVER, compare=False)


class ForkServer:
    """A warm interpreter that runs programs, many at once, sharing nothing but what it has imported.

    It may still be starting: what is asked first waits for that.
    """

    def __init__(self, python: Path, requests: socket.socket, address: Mapping[str, str]) -> None:
        self.address = address
        """Where it can be asked by a process that knows this: "socket", a path, and "proof", what to say first."""
        self._python, self._requests, self._lock = python, requests, threading.Lock()
        self._greeting = threading.Lock()
        self._missing: str | None = None

    def wait(self) -> None:
        """Until it has imported what it was to. MissingError where torch is not there, InternalError where it ended."""
        with self._greeting:
            if self._missing is None:
                if not _readable(self._requests, START_S) or not (said := _heard(self._requests)):
                    raise InternalError(f"{self._python}: ended before it was warm", "report it, with the interpreter")
                self._missing = str(json.loads(said)["missing"])
        if self._missing:
            raise MissingError(
                f"{self._python}: no {self._missing} in it", f"'{self._python} -m pip install {self._missing}' adds it"
            )

    @property
    def ended(self) -> bool:
        """Whether nothing can be asked of it any more."""
        return _readable(self._requests) and not _heard(self._requests, socket.MSG_PEEK)

    def run(self, program: Program, *, timeout_s: float, stdin: str = "") -> Finished:
        """As run_child does: to the end, to the limit, or until it is let go of; its whole group is dead then."""
        started = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
            given.write(stdin.encode())
            given.seek(0)
            with self._started(program, [given.fileno(), out.fileno(), err.fileno()]) as ended:
                status, timed_out = _ending(ended, timeout_s)
            code, seconds = os.waitstatus_to_exitcode(status), time.monotonic() - started
            return ended_with(code, out, err, seconds=seconds, timed_out=timed_out)

    def talk(self, program: Program, hear: Callable[[str], str | None], *, timeout_s: float) -> Finished:
        """As kmaint.child.talk does: with live pipes, each line of output heard the moment it comes."""
        started, heard, timed_out = time.monotonic(), [""], False
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            with self._piped(program, err) as (stdin, stdout, ended):
                try:
                    exchange(stdin, stdout, hear, heard, over=lambda: _readable(ended), until=started + timeout_s)
                except TimeoutError:
                    timed_out = True
                left_s = 0.0 if timed_out else max(0.0, started + timeout_s - time.monotonic())
                status, late = _ending(ended, left_s)
            code, seconds = os.waitstatus_to_exitcode(status), time.monotonic() - started
            found = ended_with(code, out, err, seconds=seconds, timed_out=timed_out or late)
            return replace(found, stdout="\n".join(heard[1:]))

    @contextlib.contextmanager
    def conversing(self, program: Program) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        """The program's standard input and output for as long as the block lasts; its errors go nowhere."""
        with Path(os.devnull).open("wb") as nothing, self._piped(program, nothing) as (stdin, stdout, _):
            yield stdin, stdout

    @contextlib.contextmanager
    def serving(self, program: Program, requests: socket.socket) -> Iterator[None]:
        """The program with the socket as its standard input for as long as the block lasts; it is gone after that."""
        with Path(os.devnull).open("wb") as nothing:
            streams = [requests.fileno(), nothing.fileno(), nothing.fileno()]
            with self._started(program, streams) as ended:
                requests.close()
                try:
                    yield
                finally:
                    with contextlib.suppress(OSError, InternalError):
                        _ending(ended, 0.0)

    @contextlib.contextmanager
    def _piped(self, program: Program, err: IO[bytes]) -> Iterator[tuple[IO[bytes], IO[bytes], socket.socket]]:
        """Our ends of pipes to its input and from its output, and the socket on which its end is told."""
        with contextlib.ExitStack() as open_ends:
            (theirs_in, ours_in), (ours_out, theirs_out) = os.pipe(), os.pipe()
            stdout = open_ends.enter_context(os.fdopen(ours_out, "rb"))
            stdin = os.fdopen(ours_in, "wb")
            open_ends.callback(_closed, stdin)
            try:
                ended = open_ends.enter_context(self._started(program, [theirs_in, theirs_out, err.fileno()]))
            finally:
                os.close(theirs_in)
                os.close(theirs_out)
            yield stdin, stdout, ended

    @contextlib.contextmanager
    def _started(self, program: Program, streams: list[int]) -> Iterator[socket.socket]:
        """The socket on which the program's end is told; on the way out it is closed, which kills what still runs."""
        argv = [os.fspath(word) for word in program.argv]
        request = {
            "argv": argv,
            "env": dict(program.env),
            "cwd": str(program.cwd),
            "threads": program.threads,
            "patient": program.patient,
            "serves": program.serves,
        }
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, self._lock:
                try:
                    socket.send_fds(self._requests, [json.dumps(request).encode()], [*streams, theirs.fileno()])
                except OSError as error:
                    raise _lost() from error
            with program.stop.ending(partial(_kill, ours)):
                yield ours


def _readable(source: socket.socket, within_s: float = 0.0) -> bool:
    return bool(select.select([source], [], [], within_s)[0])


def _heard(source: socket.socket, flags: int = 0) -> bytes:
    """What is there; nothing where the other end was closed, be it with something of ours unread."""
    try:
        return source.recv(1 << 12, flags)
    except ConnectionResetError:
        return b""


def _closed(stream: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):
        stream.close()


def _ending(ended: socket.socket, timeout_s: float) -> tuple[int, bool]:
    """The wait status of the program, killed at the limit, and whether it was."""
    ended.settimeout(max(timeout_s, 1e-3))  # 0 would not wait at all, and raise another error
    timed_out = False
    try:
        said = ended.recv(1 << 12)
    except TimeoutError:
        timed_out = True
        _kill(ended)
        ended.settimeout(KILLED_S)
        said = ended.recv(1 << 12)
    if not said:
        raise _lost()
    return int(json.loads(said)["status"]), timed_out


def _kill(ended: socket.socket) -> None:
    """The server sees the end of it, kills the program's group, and says how it ended."""
    with contextlib.suppress(OSError):  # it has said so already
        ended.shutdown(socket.SHUT_WR)


def _lost() -> InternalError:
    return InternalError(
        "the warm interpreter ended while it was needed", "run it again; it may have run out of memory"
    )
