"""Does many pieces of work in a few processes that die with this one, whatever ends it."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class WorkerLostError(Exception):
    """A process ended in the middle of its work; the text says how."""


class _Worker(Generic[Item, Outcome]):
    """A process, the end of a pipe to it, and what it works on."""

    def __init__(self, opened: Callable[[], AbstractContextManager[Callable[[Item], Outcome]]]) -> None:
        # spawn: no thread, lock or open pipe of ours is copied, so the end of this process is the end of its pipes
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs, opened), daemon=True)
        self.process.start()
        theirs.close()

    def close(self) -> None:
        """End the process; what it started ends by itself, as its pipes close."""
        self.connection.close()
        self.process.terminate()
        self.process.join()


def in_processes(
    opened: Callable[[], AbstractContextManager[Callable[[Item], Outcome]]], items: Iterable[Item], count: int
) -> Generator[tuple[Item, Outcome | WorkerLostError]]:
    """Each item with what the work gave for it, as they are finished.

    `opened` is called once in each of `count` processes, for what does the work as long as a block lasts. A process
    that is lost costs the item it worked on; another takes its place.
    """
    pending = iter(items)
    busy: dict[Connection, tuple[_Worker[Item, Outcome], Item]] = {}
    with contextlib.ExitStack() as stack:

        def begin(worker: _Worker[Item, Outcome] | None) -> None:
            for item in pending:
                if worker is None:
                    worker = _Worker(opened)
                    stack.callback(worker.close)
                worker.connection.send(item)
                busy[worker.connection] = worker, item
                return

        for _ in range(count):
            begin(None)
        while busy:
            for connection in wait(list(busy)):
                assert isinstance(connection, Connection)
                worker, item = busy.pop(connection)
                outcome: Outcome | WorkerLostError
                try:
                    outcome = connection.recv()
                except EOFError:
                    worker.process.join()
                    outcome = WorkerLostError(f"its process ended with status {worker.process.exitcode}")
                    begin(None)
                else:
                    begin(worker)
                yield item, outcome


def _serve(connection: Connection, opened: Callable[[], AbstractContextManager[Callable[[Item], Outcome]]]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who is asked to stop is the parent, which then closes the pipe
    with contextlib.suppress(EOFError, BrokenPipeError), opened() as work:
        while True:
            connection.send(work(connection.recv()))
