"""Shares work among forked processes: nothing is imported or sent on the way in, results come back through pipes."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_PROCESSES = 8
"""Past this the parent, which unpacks every result, is what takes the time."""

MIN_ITEMS = 64
"""A fork and its results cost some ten milliseconds: as much as reading this many files."""


def map_forked(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`[function(item) for item in items]`, over the cores that this process may use.

    Neighbours go to different processes: order items by cost. What a killed child leaves undone is done here.
    """
    count = min(len(os.sched_getaffinity(0)), MAX_PROCESSES, len(items) // MIN_ITEMS + 1)
    children = [_fork(function, items[number::count]) for number in range(1, count)]
    results: list[Result | None] = [None] * len(items)
    results[0::count] = [function(item) for item in items[0::count]]
    for number, (process, pipe) in enumerate(children, start=1):
        with os.fdopen(pipe, "rb") as stream:
            sent = stream.read()
        _, status = os.waitpid(process, 0)
        share: list[Result] = (
            pickle.loads(sent)  # noqa: S301 - from our own child
            if status == 0
            else [function(item) for item in items[number::count]]
        )
        results[number::count] = share
    return results  # type: ignore[return-value]  # every slot is filled now


def _fork(function: Callable[[Item], Result], share: Sequence[Item]) -> tuple[int, int]:
    """A child at work on its share: its process id, and the pipe that its results come through."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    code = 1
    try:
        os.close(reading)
        sent = pickle.dumps([function(item) for item in share], pickle.HIGHEST_PROTOCOL)
        with os.fdopen(writing, "wb") as stream:
            stream.write(sent)
        code = 0
    finally:
        os._exit(code)  # runs nothing of the parent's: no atexit, no flush of its streams
