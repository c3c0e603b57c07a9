"""The processors that engines are measured on: the same few for all, since one works at a time.

Left to itself a system wakes each on whatever processor is free: on a machine of 32, two engines of one base lay 30 %
apart at steps of 1.4 ms, which the host decides.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SHARED = 8
"""As many as an engine keeps busy at most while it generates: its own loop, its threads, and the driver's."""


TOPOLOGY = Path("/sys/devices/system/cpu")


def shared(topology: Path = TOPOLOGY) -> tuple[int, ...]:
    """Some of those that this process may use; empty where there are no more than that, or none can be chosen.

    One of each core first: two threads on one core slow each other.
    """
    if not hasattr(os, "sched_getaffinity"):
        return ()
    own = sorted(os.sched_getaffinity(0))
    seen: dict[str, int] = {}
    rank = {}
    for processor in own:
        core = _core_of(processor, topology)
        rank[processor] = seen[core] = seen.get(core, -1) + 1
    first = sorted(own, key=lambda processor: rank[processor])
    return tuple(sorted(first[:SHARED])) if len(own) > SHARED else ()


def _core_of(processor: int, topology: Path) -> str:
    """All that share its core, as the system writes them; itself where it does not say."""
    try:
        return (topology / f"cpu{processor}" / "topology" / "thread_siblings_list").read_text()
    except OSError:
        return str(processor)


def confine(groups: Iterable[int], cores: Collection[int]) -> None:
    """Keep every thread of the process groups, and all that they start, to these processors; none where there are none.

    Who has ended meanwhile, or is not ours to move, is passed over.
    """
    wanted = set(groups)
    for folder in Path("/proc").glob("[0-9]*") if cores else ():
        for thread in _threads(folder) if _group(folder) in wanted else ():
            with contextlib.suppress(OSError):
                os.sched_setaffinity(thread, cores)


@dataclass
class Stolen:
    """How much of these processors' time a virtual machine's host gives to others; of all where none are named."""

    cores: Collection[int]
    stat: Path = Path("/proc/stat")
    _before: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self._before = self._ticks()

    @property
    def share(self) -> float | None:
        """Of the time since it was made; None where the system does not say."""
        now = self._ticks()
        if self._before is None or now is None or now[1] == self._before[1]:
            return None
        return (now[0] - self._before[0]) / (now[1] - self._before[1])

    def _ticks(self) -> tuple[int, int] | None:
        """Those taken, and all there were: what a guest used is in a user's time already."""
        names = {f"cpu{core}" for core in self.cores} or {"cpu"}
        with contextlib.suppress(OSError):
            lines = (line.split() for line in self.stat.read_text().splitlines())
            spent = [[int(word) for word in words[1:9]] for words in lines if words and words[0] in names]
            if spent and all(len(one) == 8 for one in spent):
                return sum(one[7] for one in spent), sum(map(sum, spent))
        return None


def _threads(folder: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from [int(task.name) for task in (folder / "task").iterdir()]


def _group(folder: Path) -> int:
    """The third field behind the name, which is in brackets and may hold anything; -1 where the process has ended."""
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[2])
    except OSError:
        return -1
