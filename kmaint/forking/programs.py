"""Runs programs of the target's interpreter as forks of a warm one: server.py is the other side.

A drop-in for kmaint.child.run_child where the interpreter's start is what takes the time; any thread may ask.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import select
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kmaint.child import Finished, clean_environment, connected, ended_with, exchange
from kmaint.errors import InternalError, MissingError
from kmaint.forking.warm import Beforehand

SERVER = Path(__file__).parent / "server.py"
START_S = 300.0
"""To import torch on a cold disk."""
KILLED_S = 30.0
"""For the server to kill a program and to say so."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run, without the interpreter: a file or "-m" and a module, and its arguments.

    `threads` are torch's; one that is `patient` leaves the processor to others that want it.
    """

    argv: Sequence[str | Path]
    env: Mapping[str, str]
    cwd: Path
    threads: int = 1
    patient: bool = False


class ForkServer:
    """A warm interpreter that runs programs, many at once, sharing nothing but what it has imported."""

    def __init__(self, requests: socket.socket, address: Mapping[str, str]) -> None:
        self.address = address
        """Where it can be asked by a process that knows this: "socket", a path, and "proof", what to say first."""
        self._requests, self._lock = requests, threading.Lock()

    def run(self, program: Program, *, timeout_s: float, stdin: str = "") -> Finished:
        """As run_child does: to the end or to the limit, and its whole group is dead."""
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
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, contextlib.ExitStack() as open_ends:
            (theirs_in, ours_in), (ours_out, theirs_out) = os.pipe(), os.pipe()
            stdin, stdout = (open_ends.enter_context(os.fdopen(*one)) for one in ((ours_in, "wb"), (ours_out, "rb")))
            with self._started(program, [theirs_in, theirs_out, err.fileno()]) as ended:
                os.close(theirs_in)
                os.close(theirs_out)
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
    def _started(self, program: Program, streams: list[int]) -> Iterator[socket.socket]:
        """The socket on which the program's end is told; on the way out it is closed, which kills what still runs."""
        argv = [os.fspath(word) for word in program.argv]
        request = {
            "argv": argv,
            "env": dict(program.env),
            "cwd": str(program.cwd),
            "threads": program.threads,
            "patient": program.patient,
        }
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, self._lock:
                try:
                    socket.send_fds(self._requests, [json.dumps(request).encode()], [*streams, theirs.fileno()])
                except OSError as error:
                    raise _lost() from error
            yield ours


def _readable(source: socket.socket) -> bool:
    return bool(select.select([source], [], [], 0.0)[0])


def _ending(ended: socket.socket, timeout_s: float) -> tuple[int, bool]:
    """The wait status of the program, killed at the limit, and whether it was."""
    ended.settimeout(max(timeout_s, 1e-3))  # 0 would not wait at all, and raise another error
    timed_out = False
    try:
        said = ended.recv(1 << 12)
    except TimeoutError:
        timed_out = True
        ended.shutdown(socket.SHUT_WR)  # the server sees the end of it, kills the group, and says how it ended
        ended.settimeout(KILLED_S)
        said = ended.recv(1 << 12)
    if not said:
        raise _lost()
    return int(json.loads(said)["status"]), timed_out


def _lost() -> InternalError:
    return InternalError(
        "the warm interpreter ended while it was needed", "run it again; it may have run out of memory"
    )


@contextlib.contextmanager
def fork_server(
    python: Path, beforehand: Beforehand, *, extra: Mapping[str, str] | None = None
) -> Iterator[ForkServer]:
    """A server for as long as the block lasts, with `extra` in its environment while it imports.

    MissingError where torch is not there.
    """
    # One thread while it imports: a pool of them would not survive a fork.
    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    what, proof = json.dumps(vars(beforehand), default=str), secrets.token_hex(16)
    environment = clean_environment({**alone, **(extra or {})})
    with contextlib.ExitStack() as until:
        folder = until.enter_context(tempfile.TemporaryDirectory(prefix="kmaint-forks-"))
        place, digest = Path(folder) / "asked", hashlib.sha256(proof.encode()).hexdigest()
        requests = until.enter_context(connected([python, SERVER, what, place, digest], env=environment))
        requests.settimeout(START_S)
        said = requests.recv(1 << 12)
        if not said:
            raise InternalError(f"{python}: {SERVER.name} ended before it was ready", "report it, with the interpreter")
        if missing := json.loads(said)["missing"]:
            raise MissingError(f"{python}: no {missing} in it", f"'{python} -m pip install {missing}' adds it")
        requests.settimeout(None)
        yield ForkServer(requests, {"socket": str(place), "proof": proof})
