"""Shares work among forked processes that keep what they read from one round to the next."""

from __future__ import annotations

import contextlib
import os
import pickle
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, Generic, NamedTuple, TypeVar, TypeVarTuple

State = TypeVar("State")
Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

MAX_PROCESSES = 8
"""Past this the parent, which unpacks every result, is what takes the time."""

MIN_CALLS = 64
"""A fork and its results cost some ten milliseconds: as much as reading this many files."""

PIECE = struct.Struct("II")
MAX_PIECES = 500
"""Of a list that several work through: so many fit into the smallest pipe that Linux makes."""


class _Child(NamedTuple):
    process: int
    asked: BinaryIO
    answers: BinaryIO


class _Queue:
    """Places in a list that several processes work through: whoever is free takes the next few."""

    def __init__(self) -> None:
        self._ends = os.pipe()
        os.set_blocking(self._ends[0], False)

    def put(self, count: int) -> None:
        """Offer the places before `count`, when all earlier ones are taken."""
        few = 1 + count // MAX_PIECES
        pieces = (PIECE.pack(start, min(start + few, count)) for start in range(0, count, few))
        os.write(self._ends[1], b"".join(pieces))

    def take(self) -> Iterator[int]:
        """Places that nobody else takes, until there are no more."""
        with contextlib.suppress(BlockingIOError):
            while True:
                yield from range(*PIECE.unpack(os.read(self._ends[0], PIECE.size)))

    def close(self) -> None:
        for end in self._ends:
            os.close(end)


class Crew(Generic[State]):
    """This process and its forks, each with a `state` of its own, which what is called may keep things in.

    Nothing is imported or copied on the way in. Order calls by cost, the dearest first. What a killed child leaves
    undone is done here.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self._children: list[_Child | None] = []
        self._homes: dict[str, int] = {}
        self._queue = _Queue()

    def map(
        self, function: Callable[[State, str, *Arguments], Result], calls: Sequence[tuple[str, *Arguments]]
    ) -> list[Result]:
        """`[function(state, *call) for call in calls]`, over the cores that this process may use.

        A call goes to the process that had its first argument before; a new one to whoever is free.
        """
        self._hire(len(calls))
        shares: list[list[int]] = [[] for _ in range(len(self._children) + 1)]
        free: list[int] = []
        for number, call in enumerate(calls):
            home = self._homes.get(call[0])
            (free if home is None else shares[home]).append(number)
        if len(free) < len(shares):
            shares[0] += free
            free = []
        return self._begin(function, calls, shares, free)()

    def begin(
        self, function: Callable[[State, str, *Arguments], Result], calls: Sequence[tuple[str, *Arguments]]
    ) -> Callable[[], list[Result]]:
        """As `map`, but every call goes to whoever is free: the children, until this process asks for the results.

        Until then, the crew takes no other calls.
        """
        self._hire(len(calls))
        shares: list[list[int]] = [[] for _ in range(len(self._children) + 1)]
        return self._begin(function, calls, shares, range(len(calls)))

    def _begin(
        self,
        function: Callable[[State, str, *Arguments], Result],
        calls: Sequence[tuple[str, *Arguments]],
        shares: Sequence[Sequence[int]],
        free: Sequence[int],
    ) -> Callable[[], list[Result]]:
        """Hand out what is given to each and what is free; what is returned takes part, and notes who had what."""
        queue = [calls[number] for number in free]
        if self._children:
            self._queue.put(len(queue))
        asked = [index for index, share in enumerate(shares[1:]) if share or queue]
        for index in asked:
            self._ask(index, (function, [calls[number] for number in shares[index + 1]], queue))

        def results() -> list[Result]:
            found: dict[int, Result] = {number: function(self.state, *calls[number]) for number in shares[0]}
            places = self._queue.take() if self._children else range(len(queue))
            taken = [{place: function(self.state, *queue[place]) for place in places}]
            for index in asked:
                own, others = self._answers(index)
                found.update(zip(shares[index + 1], own, strict=False))  # none of a child that was lost
                taken.append(others)
            for index, answers in zip((-1, *asked), taken, strict=True):
                found.update((free[place], answer) for place, answer in answers.items())
                self._homes.update((queue[place][0], index + 1) for place in answers)
            return [
                found[number] if number in found else function(self.state, *call) for number, call in enumerate(calls)
            ]

        return results

    def close(self) -> None:
        """End the children; each waits for its next round, and sees that there is none."""
        for child in self._children:
            if child is not None:
                child.asked.close()
                child.answers.close()
                os.waitpid(child.process, 0)
        self._children.clear()
        self._queue.close()

    def _hire(self, calls: int) -> None:
        """Children for that many calls; those of earlier ones stay."""
        count = min(len(os.sched_getaffinity(0)), MAX_PROCESSES, calls // MIN_CALLS + 1)
        while len(self._children) < count - 1:
            self._children.append(_fork(self.state, self._queue, [child for child in self._children if child]))

    def _ask(self, index: int, question: tuple[Any, ...]) -> None:
        child = self._children[index]
        if child is None:
            return
        try:
            pickle.dump(question, child.asked, pickle.HIGHEST_PROTOCOL)
            child.asked.flush()
        except BrokenPipeError:
            self._lose(index)

    def _answers(self, index: int) -> tuple[list[Any], dict[int, Any]]:
        """What a child made of its share, and of what was free by its place there; nothing where it was lost."""
        child = self._children[index]
        if child is None:
            return [], {}
        try:
            found: tuple[list[Any], dict[int, Any]] = pickle.load(child.answers)  # noqa: S301 - from our own child
        except (EOFError, pickle.UnpicklingError):
            self._lose(index)
            return [], {}
        return found

    def _lose(self, index: int) -> None:
        child, self._children[index] = self._children[index], None
        assert child is not None
        child.answers.close()
        with contextlib.suppress(BrokenPipeError):  # what was not yet sent
            child.asked.close()
        os.waitpid(child.process, 0)


@contextmanager
def crew(state: State) -> Iterator[Crew[State]]:
    """A crew whose forks last as long as the block."""
    found = Crew(state)
    try:
        yield found
    finally:
        found.close()


def _fork(state: object, queue: _Queue, others: list[_Child]) -> _Child:
    asked, ask = os.pipe()
    answer, answered = os.pipe()
    process = os.fork()
    if process:
        os.close(asked)
        os.close(answered)
        return _Child(process, os.fdopen(ask, "wb"), os.fdopen(answer, "rb"))
    try:
        os.close(ask)
        os.close(answer)
        for other in others:  # else a sibling would never see the end of its questions
            os.close(other.asked.fileno())
            os.close(other.answers.fileno())
        with os.fdopen(asked, "rb") as questions, os.fdopen(answered, "wb") as answers:
            while True:
                function, own, free = pickle.load(questions)  # noqa: S301 - from our own parent
                done = [function(state, *call) for call in own]
                found = {place: function(state, *free[place]) for place in queue.take()}
                pickle.dump((done, found), answers, pickle.HIGHEST_PROTOCOL)
                answers.flush()
    finally:
        os._exit(0)  # runs nothing of the parent's: no atexit, no flush of its streams
