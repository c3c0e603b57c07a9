"""Starts programs as forks of an interpreter that has imported torch, triton and pytest, each as if started anew.

Run by kmaint.forking.stem in the target's interpreter, and in forks of that. Its standard input is a socket. Every
request is one message: a JSON object,

    {"argv": [FILE or "-m", ...], "env": {...}, "cwd": FOLDER, "threads": NUMBER, "patient": BOOLEAN, "serves": BOOLEAN}

with four file descriptors: standard input, output and error of the program, and the socket on which its end is told,
as {"status": WAIT_STATUS, "cpu_s": SECONDS}; more of them are open in the program, from number 3 on. With "walls", a
command line of kmaint/sandbox/launcher.py, the fork shuts itself in first. A program leads a session of its own. It is
killed with its whole group when it ends, when the other end of that socket is closed, and when this process ends. One
that serves has programs in sessions that nobody else knows of: it is told to end, and killed if it does not. CUDA is
never initialised here, so that every fork may.

With a path and a digest as further arguments it listens there too, for one request a connection: each must bear, as
"proof", the text of that SHA-256, which no fork can find in what it inherits.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import hashlib
import importlib.util
import json
import os
import random
import resource
import runpy
import select
import selectors
import signal
import socket
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

LONGEST_REQUEST = 1 << 20
DESCRIPTORS, MOST_DESCRIPTORS = 4, 8
PATIENT = 10
"""How much nicer than others a patient program is."""
LEAVING_S = 3.0
"""For one that serves to kill its programs."""
DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of <linux/prctl.h>."""


class Server:
    """The programs that run, by process id, and the socket on which each one's end is told."""

    def __init__(self, requests: socket.socket, listener: socket.socket | None = None, proof: str = "") -> None:
        self._requests, self._running = requests, dict[int, socket.socket]()
        self._servers, self._due = set[int](), dict[int, float]()
        self._leaving = False
        self._listener, self._proof = listener, proof
        self._ended, ended = os.pipe()
        for end in (self._ended, ended):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler of ours nothing is written to the pipe
        signal.signal(signal.SIGTERM, self._leave)
        signal.set_wakeup_fd(ended, warn_on_full_buffer=False)
        self._events = selectors.DefaultSelector()
        self._events.register(requests, selectors.EVENT_READ)
        self._events.register(self._ended, selectors.EVENT_READ)
        if listener is not None:
            self._events.register(listener, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until the other end of the requests is closed, or it is told to leave; what still runs then is killed."""
        while not self._leaving:
            for key, _ in self._events.select(self._patience()):
                if key.fd == self._requests.fileno():
                    self._leaving = self._leaving or not self._start_one(self._requests)
                elif self._listener is not None and key.fd == self._listener.fileno():
                    asking, _ = self._listener.accept()
                    self._events.register(asking, selectors.EVENT_READ, data=asking)
                elif isinstance(key.data, socket.socket):  # a connection, on which one request is to come
                    self._events.unregister(key.data)
                    with key.data:
                        self._start_one(key.data, self._proof)
                elif key.fd == self._ended:
                    self._reap()
                elif key.data in self._running:  # nothing is ever sent there: it was closed
                    self._end(key.data)
                    self._events.unregister(key.fileobj)
            self._kill(*self._overdue())
        self._end(*self._running)
        while self._due:
            select.select([self._ended], [], [], self._patience())
            self._reap()
            self._kill(*self._overdue())

    def _leave(self, *_: object) -> None:
        self._leaving = True

    def _patience(self) -> float | None:
        """Seconds until the first of those that were told to end is to be killed; None where there is none."""
        return max(0.0, min(self._due.values()) - time.monotonic()) if self._due else None

    def _overdue(self) -> list[int]:
        late = [child for child, until in self._due.items() if until <= time.monotonic()]
        for child in late:
            del self._due[child]
        return late

    def _start_one(self, source: socket.socket, proof: str = "") -> bool:
        said, descriptors, _, _ = socket.recv_fds(source, LONGEST_REQUEST, MOST_DESCRIPTORS)
        if not said:
            return False
        request = json.loads(said)
        given, said = request.pop("proof", ""), b""  # a fork has all that we have: it must not find it
        known = hashlib.sha256(given.encode()).hexdigest() == proof
        del given
        if (proof and not known) or len(descriptors) < DESCRIPTORS:
            for descriptor in descriptors:
                os.close(descriptor)
            return True
        own = [*descriptors[:3], *descriptors[4:]]
        child = os.fork()
        if child == 0:
            _become(request, own)
        for descriptor in own:
            os.close(descriptor)
        if request.get("serves"):
            self._servers.add(child)
        self._running[child] = socket.socket(fileno=descriptors[3])
        self._events.register(self._running[child], selectors.EVENT_READ, data=child)
        return True

    def _reap(self) -> None:
        """Tell of each program that ended. Its group is killed while its number cannot have been given to another."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._ended, 1 << 12)
        while self._running:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return
            self._kill(ended.si_pid)
            _, status, usage = os.wait4(ended.si_pid, 0)
            told = self._running.pop(ended.si_pid)
            self._servers.discard(ended.si_pid)
            self._due.pop(ended.si_pid, None)
            with contextlib.suppress(KeyError):
                self._events.unregister(told)
            with contextlib.suppress(OSError):
                told.send(json.dumps({"status": status, "cpu_s": usage.ru_utime + usage.ru_stime}).encode())
            told.close()

    def _end(self, *children: int) -> None:
        """Kill them; those that serve are told to end first."""
        for child in children:
            if child not in self._servers:
                self._kill(child)
            elif child not in self._due:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGTERM)
                self._due[child] = time.monotonic() + LEAVING_S

    @staticmethod
    def _kill(*children: int) -> None:
        for child in children:
            for kill in (os.killpg, os.kill):  # it may not lead its group yet
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(child, signal.SIGKILL)


def _become(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """The fork's side: be the program, in a session of its own, and end as it ends."""
    code = 1
    try:
        os.setsid()
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        _take(descriptors)
        _set_up(request)
        if request.get("walls"):
            _wall_in(request["walls"])
        code = _run(request["argv"])
    except BaseException:  # noqa: BLE001 - what a program raises ends it, as it does under any interpreter
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _take(descriptors: list[int]) -> None:
    """Make these descriptors 0, 1, 2 and so on, and close all others: the other programs' sockets are among them."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    beyond = [fcntl.fcntl(one, fcntl.F_DUPFD, 3 + len(descriptors)) for one in descriptors]
    for number, descriptor in enumerate(beyond):
        os.dup2(descriptor, number)
    os.closerange(len(descriptors), most)


def _wall_in(words: list[str]) -> None:
    """What the launcher would do before it becomes the program: its words follow its own path in the command line."""
    at = next(n for n, word in enumerate(words) if word.endswith("launcher.py"))
    _loaded("launcher", Path(words[at])).confine(words[at + 1 :])


def _set_up(request: dict[str, Any]) -> None:
    """What differs between two interpreters that are started with the same modules to import."""
    import torch

    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.path[:0] = [folder for folder in request["env"].get("PYTHONPATH", "").split(os.pathsep) if folder]
    torch.set_num_threads(request["threads"])
    if request["patient"]:
        os.nice(PATIENT)
    tempfile.tempdir = None  # found once, and then kept: the environment may name another
    random.seed()  # every fork would draw the same numbers
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    gc.enable()


def _run(argv: list[str]) -> int:
    """Run the file, or the module after "-m", as __main__; its exit status."""
    try:
        if argv[0] == "-m":
            sys.argv = argv[1:]
            runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = argv
            runpy.run_path(argv[0], run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return int(end.code or 0)
        sys.stderr.write(f"{end.code}\n")
        return 1
    return 0


def _beside(name: str) -> Any:
    """A module from the folder of this file, which is not on the path."""
    return _loaded(name, Path(__file__).with_name(f"{name}.py"))


def _loaded(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Import beforehand what the argument says, say so, and serve; without one, import torch."""
    requests, listener, proof = socket.socket(fileno=os.dup(0)), None, ""
    if len(sys.argv) > 2:
        path, proof = sys.argv[2:]
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(path)
        listener.listen()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    zygote = _beside("zygote")
    try:
        zygote.warm(**json.loads(sys.argv[1])) if len(sys.argv) > 1 else zygote.warm_torch()
    except ModuleNotFoundError as error:
        requests.send(json.dumps({"missing": error.name}).encode())
        while requests.recv(LONGEST_REQUEST):  # what is asked meanwhile is let go, and with it its pipes
            pass
        return
    sys.dont_write_bytecode = True  # from now on: what a fork imports may be anybody's
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page that it looks at
    gc.disable()
    requests.send(json.dumps({"missing": ""}).encode())
    Server(requests, listener, proof).serve()


if __name__ == "__main__":
    main()
