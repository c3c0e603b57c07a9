"""How programs of the target's interpreter are run: alone or warm, in their turn on a GPU, once if that is enough."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from kmaint.child import Finished, run_child, talk
from kmaint.evaluate.workers.turns import Turns
from kmaint.forking.programs import Program
from kmaint.stop import Stop

MEASURED = ("blocks", "run")
"""What a measuring worker asks while only its own work may be on the GPU."""

Reply = Callable[[dict[str, Any]], dict[str, Any]]
"""Answers what a worker asks on its way."""


class Runner(Protocol):
    """Runs programs of the target's interpreter, each with a process and state of its own."""

    def run(self, program: Program, *, timeout_s: float, stdin: str = "") -> Finished: ...

    def talk(self, program: Program, hear: Callable[[str], str | None], *, timeout_s: float) -> Finished: ...


Use = Callable[[Runner], Finished]


@dataclass(frozen=True)
class Alone:
    """Starts an interpreter for each program."""

    python: Path

    def run(self, program: Program, *, timeout_s: float, stdin: str = "") -> Finished:
        argv = [self.python, *program.argv]
        return run_child(argv, timeout_s=timeout_s, env=program.env, cwd=program.cwd, stdin=stdin, stop=program.stop)

    def talk(self, program: Program, hear: Callable[[str], str | None], *, timeout_s: float) -> Finished:
        argv = [self.python, *program.argv]
        return talk(argv, hear, timeout_s=timeout_s, env=program.env, cwd=program.cwd, stop=program.stop)


class Warm(Protocol):
    """Runs programs as forks of interpreters that are warm for a harness; see kmaint.evaluate.bench.warm."""

    def run(self, harness: Path, program: Program, use: Use) -> Finished: ...

    def bare(self, *, interpreted: bool) -> Mapping[str, str] | None: ...

    def expect(self, harness: Path, modes: Sequence[bool]) -> None: ...


class Once:
    """Locks by name: what every candidate of a harness needs is found out by the first, while the others wait."""

    def __init__(self) -> None:
        self._locks, self._lock = dict[str, threading.RLock](), threading.Lock()

    def __call__(self, name: str) -> threading.RLock:
        with self._lock:
            return self._locks.setdefault(name, threading.RLock())


class Measuring:
    """A measuring worker's turns, taken here by what it asks: alone while blocks and runs are timed, else shared.

    None before its first question: until then it does nothing on the GPU. The question "turn" ends one
    shared turn and begins another, between which whoever waits to have the GPU alone has it. Stopped where the work is
    let go of while it waits for one.
    """

    def __init__(self, turns: Turns, reply: Reply, stop: Stop) -> None:
        self._turns, self._reply, self._stop = turns, reply, stop
        self._held, self._how = contextlib.ExitStack(), ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def __call__(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._take("alone" if asked["ask"] in MEASURED else "shared", anew=asked["ask"] == "turn")
        return self._reply(asked)

    def _take(self, how: Literal["alone", "shared"], *, anew: bool) -> None:
        if anew or how != self._how:
            self._held.close()
            turn = self._turns.alone() if how == "alone" else self._turns.shared()
            self._held.enter_context(self._stop.waiting(turn))
            self._how = how
