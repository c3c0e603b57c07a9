"""Shares work among forked processes that keep what they read from one round to the next."""

from __future__ import annotations

import contextlib
import os
import pickle
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


class _Child(NamedTuple):
    process: int
    asked: BinaryIO
    answers: BinaryIO


class Crew(Generic[State]):
    """This process and its forks, each with a `state` of its own, which what is called may keep things in.

    Nothing is imported or copied on the way in. A call goes to the process that had its first argument before.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self._children: list[_Child | None] = []
        self._homes: dict[str, int] = {}

    def map(
        self, function: Callable[[State, str, *Arguments], Result], calls: Sequence[tuple[str, *Arguments]]
    ) -> list[Result]:
        """`[function(state, *call) for call in calls]`, over the cores that this process may use.

        Neighbours go to different processes: order calls by cost. What a killed child leaves undone is done here.
        """
        self._hire(len(calls))
        shares: list[list[int]] = [[] for _ in range(len(self._children) + 1)]
        for number, call in enumerate(calls):
            shares[self._homes.setdefault(call[0], number % len(shares))].append(number)
        return self._begin(function, calls, shares)()

    def begin(
        self, function: Callable[[State, str, *Arguments], Result], calls: Sequence[tuple[str, *Arguments]]
    ) -> Callable[[], list[Result]]:
        """As `map`, but the children work while this process does something else, until it asks for the results.

        Until then, the crew has nothing else to do. Where there are no children, the work is done when asked for.
        """
        self._hire(len(calls))
        count = len(self._children)
        shares = (
            [list(range(len(calls)))]
            if not count
            else [[], *(list(range(at, len(calls), count)) for at in range(count))]
        )
        return self._begin(function, calls, shares)

    def _begin(
        self,
        function: Callable[[State, str, *Arguments], Result],
        calls: Sequence[tuple[str, *Arguments]],
        shares: Sequence[Sequence[int]],
    ) -> Callable[[], list[Result]]:
        """Hand the shares out, of which the first is for this process; what is returned works on it and waits."""

        def done_here(share: Sequence[int]) -> list[Result]:
            return [function(self.state, *calls[number]) for number in share]

        def results() -> list[Result]:
            found = dict(zip(shares[0], done_here(shares[0]), strict=True))
            for index, share in enumerate(shares[1:]):
                answers: list[Result] | None = self._answers(index) if share else []
                found.update(zip(share, done_here(share) if answers is None else answers, strict=True))
            return [found[number] for number in range(len(calls))]

        for index, share in enumerate(shares[1:]):
            self._ask(index, function, [calls[number] for number in share])
        return results

    def close(self) -> None:
        """End the children; each waits for its next round, and sees that there is none."""
        for child in self._children:
            if child is not None:
                child.asked.close()
                child.answers.close()
                os.waitpid(child.process, 0)
        self._children.clear()

    def _hire(self, calls: int) -> None:
        """Children for that many calls; those of earlier ones stay."""
        count = min(len(os.sched_getaffinity(0)), MAX_PROCESSES, calls // MIN_CALLS + 1)
        while len(self._children) < count - 1:
            self._children.append(_fork(self.state, [child for child in self._children if child]))

    def _ask(self, index: int, function: object, calls: list[tuple[str, *Arguments]]) -> None:
        child = self._children[index]
        if child is None or not calls:
            return
        try:
            pickle.dump((function, calls), child.asked, pickle.HIGHEST_PROTOCOL)
            child.asked.flush()
        except BrokenPipeError:
            self._lose(index)

    def _answers(self, index: int) -> list[Any] | None:
        """What a child made of its share; None where it was lost."""
        child = self._children[index]
        if child is None:
            return None
        try:
            found: list[Any] = pickle.load(child.answers)  # noqa: S301 - from our own child
        except (EOFError, pickle.UnpicklingError):
            self._lose(index)
            return None
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


def _fork(state: object, others: list[_Child]) -> _Child:
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
                function, calls = pickle.load(questions)  # noqa: S301 - from our own parent
                pickle.dump([function(state, *call) for call in calls], answers, pickle.HIGHEST_PROTOCOL)
                answers.flush()
    finally:
        os._exit(0)  # runs nothing of the parent's: no atexit, no flush of its streams
