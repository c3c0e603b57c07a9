"""Warm interpreters for a bench: one for each harness and mode, started when first needed, ended with the block.

They share what every interpreter of the harness imports (torch, triton, pytest, hypothesis and the harness's runtime)
and nothing that a candidate did: each program is a fork of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from kmaint.child import Finished
from kmaint.errors import InternalError
from kmaint.evaluate.bench import Bench
from kmaint.forking.programs import ForkServer, Program, fork_server
from kmaint.forking.warm import Beforehand

Use = Callable[[ForkServer], Finished]


@contextlib.contextmanager
def warmed(bench: Bench) -> Iterator[Bench]:
    """The bench with warm interpreters, and a folder for what compiling the originals gives, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="kmaint-originals-", ignore_cleanup_errors=True) as originals:
        pool = Pool(bench.python)
        try:
            yield dataclasses.replace(bench, warm=pool, originals=Path(originals))
        finally:
            pool.close()


class Pool:
    """Fork servers by harness and mode; any thread may use them."""

    def __init__(self, python: Path) -> None:
        self._python, self._open = python, contextlib.ExitStack()
        self._servers, self._lock = dict[tuple[Path, bool], Slot](), threading.Lock()
        self._closed = False

    def run(self, harness: Path, program: Program, use: Use) -> Finished:
        """What `use` gives with a server that is warm for the program. One that was lost is started again, once."""
        interpreted = program.env.get("TRITON_INTERPRET") == "1"
        with self._lock:
            slot = self._servers.setdefault((harness, interpreted), Slot())
        try:
            return use(self._server(slot, harness, interpreted))
        except InternalError:
            if self._closed:
                raise
            slot.forget()
            return use(self._server(slot, harness, interpreted))

    def _server(self, slot: Slot, harness: Path, interpreted: bool) -> ForkServer:
        with slot.lock:
            if slot.server is None:
                slot.server = self._open.enter_context(_start(self._python, harness, interpreted=interpreted))
            return slot.server

    def close(self) -> None:
        self._closed = True
        self._open.close()


@dataclasses.dataclass
class Slot:
    """A server, once it is there; the lock is held while it starts."""

    server: ForkServer | None = None
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def forget(self) -> None:
        with self.lock:
            self.server = None


def _start(python: Path, harness: Path, *, interpreted: bool) -> contextlib.AbstractContextManager[ForkServer]:
    # triton reads this when it is imported, so that there are two kinds; no kind sees a GPU before it is forked.
    extra = {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": "", **({"TRITON_INTERPRET": "1"} if interpreted else {})}
    calls = ("runtime.interpreter:mend",) if interpreted else ()
    return fork_server(python, Beforehand(path=harness, modules=("runtime.suite",), calls=calls), extra=extra)
