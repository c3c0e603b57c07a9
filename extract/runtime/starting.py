"""Starts a candidate's process: anew behind the walls, or as a fork of a bare interpreter, which walls itself in.

Copied unchanged into every harness. A bare interpreter (kmaint/forking) has imported torch and triton, and nothing of
any harness; where KMAINT_FORKS names one, a process is there in a tenth of a second instead of some.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

ENDED_S = 30.0
"""For a bare interpreter to kill a fork and to say how it ended."""


@dataclass(frozen=True)
class Start:
    """What to start, in the room and with `kept` open; `walls` is the launcher of the sandbox with its arguments."""

    words: Sequence[str]
    walls: Sequence[str]
    env: Mapping[str, str]
    room: Path
    log: IO[bytes]
    kept: Sequence[int]


class Process(Protocol):
    """A candidate's process, with its standard streams and the numbers that the open files of `kept` have in it."""

    @property
    def stdin(self) -> IO[bytes]: ...

    @property
    def stdout(self) -> IO[bytes]: ...

    @property
    def numbers(self) -> Sequence[int]: ...

    def wait(self) -> int:
        """Its exit status, or less than zero the signal that ended it; it has ended, or is about to."""

    def end(self) -> None:
        """Kill it with its whole group; twice does no harm."""


class Anew:
    """A process that starts an interpreter of its own."""

    def __init__(self, start: Start, python: str) -> None:
        self._process = subprocess.Popen(
            [*start.walls, python, *start.words],
            env=dict(start.env),
            cwd=start.room,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=start.log,
            start_new_session=True,
            pass_fds=tuple(start.kept),
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self.stdin, self.stdout, self.numbers = self._process.stdin, self._process.stdout, list(start.kept)

    def wait(self) -> int:
        return self._process.wait()

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Fork:
    """A fork of a bare interpreter; that one kills it when `_told` is closed, by us or with us."""

    def __init__(self, start: Start, forks: Mapping[str, str]) -> None:
        request = {
            "proof": forks["proof"],
            "argv": list(start.words),
            "env": dict(start.env),
            "cwd": str(start.room),
            "threads": int(start.env.get("OMP_NUM_THREADS", 0)) or os.cpu_count() or 1,
            "patient": False,
            # The launcher's own words: what stands before them starts it, and what follows is what it becomes.
            "walls": list(start.walls),
        }
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked:
            asked.connect(forks["socket"])
            self._told, theirs = socket.socketpair()
            (their_in, our_in), (our_out, their_out) = os.pipe(), os.pipe()
            descriptors = [their_in, their_out, start.log.fileno(), theirs.fileno(), *start.kept]
            socket.send_fds(asked, [json.dumps(request).encode()], descriptors)
        theirs.close()
        os.close(their_in)
        os.close(their_out)
        self.stdin, self.stdout = os.fdopen(our_in, "wb"), os.fdopen(our_out, "rb")
        self.numbers = [3 + n for n in range(len(start.kept))]
        self._code: int | None = None

    def wait(self) -> int:
        if self._code is None:
            self._told.settimeout(ENDED_S)
            said = self._told.recv(1 << 12)
            self._told.close()
            self._code = os.waitstatus_to_exitcode(json.loads(said)["status"]) if said else -signal.SIGKILL
        return self._code

    def end(self) -> None:
        if self._code is None:
            with contextlib.suppress(OSError):
                self._told.shutdown(socket.SHUT_WR)
            self.wait()


def start_process(start: Start, python: str) -> Process:
    """A fork where KMAINT_FORKS says of whom, and that one is there; else a process of its own."""
    forks = os.environ.get("KMAINT_FORKS")
    if forks:
        with contextlib.suppress(ConnectionError, FileNotFoundError):
            return Fork(start, json.loads(forks))
    return Anew(start, python)
