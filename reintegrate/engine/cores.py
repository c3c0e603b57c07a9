"""The processors that the engines of a comparison are measured on: the same few for all, since one works at a time.

Left to itself a system wakes each on whatever processor is free: on a machine of 32, two engines of one base lay 30 %
apart at steps of 1.4 ms, which the host decides.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

SHARED = 8
"""As many as an engine keeps busy at most while it generates: its own loop, its threads, and the driver's."""


def shared() -> tuple[int, ...]:
    """Some of those that this process may use; empty where there are no more than that, or none can be chosen."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    own = sorted(os.sched_getaffinity(0))
    return tuple(own[:SHARED]) if len(own) > SHARED else ()


def confine(groups: Iterable[int], cores: Collection[int]) -> None:
    """Keep every thread of the process groups, and all that they start, to these processors; none where there are none.

    Who has ended meanwhile, or is not ours to move, is passed over.
    """
    wanted = set(groups)
    for folder in Path("/proc").glob("[0-9]*") if cores else ():
        for thread in _threads(folder) if _group(folder) in wanted else ():
            with contextlib.suppress(OSError):
                os.sched_setaffinity(thread, cores)


def _threads(folder: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from [int(task.name) for task in (folder / "task").iterdir()]


def _group(folder: Path) -> int:
    """The third field behind the name, which is in brackets and may hold anything; -1 where the process has ended."""
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[2])
    except OSError:
        return -1
