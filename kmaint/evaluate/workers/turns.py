"""Whose turn it is on a GPU: what is timed has it alone, what is only checked shares it; across processes.

Needs the standard library only: a suite and a worker take their turns themselves, one example or one workload at a
time, so that nobody waits for a whole rung of another candidate.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

Waiting = Callable[[], contextlib.AbstractContextManager[None]]

PATIENCE_S = 0.25
"""For how long a GPU that others share is not asked for alone: each time, all who share it have to end and none may
begin, so that those who wait to be alone had better do so together."""
POLL_S = 0.02
SHUT = 3
"""Looks in a row at which the door is not free, before it is taken to be shut."""


class Turns:
    """The turns of one GPU; without a place, where there is no GPU, nobody waits.

    The system lets go of a turn when its process ends, however it ends. `waiting` is around every wait for one.
    """

    def __init__(
        self,
        place: str | Path | None,
        waiting: Waiting = contextlib.nullcontext,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._place, self._waiting, self._patience_s = place, waiting, patience_s

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the GPU beside others that only check; whoever has lost patience to be alone goes first."""
        with contextlib.ExitStack() as held:
            if self._place is not None:
                with self._waiting(), _locked(self._door, fcntl.LOCK_EX):
                    held.enter_context(_locked(self._place, fcntl.LOCK_SH))
            yield

    @contextlib.contextmanager
    def beginning(self) -> Iterator[None]:
        """As shared, to make a context: of those that begin so one after the other, as the driver does it anyhow. Two
        dozen of an H200 that began together took 5 s, for which whoever waits to be alone would have waited."""
        with contextlib.ExitStack() as held:
            if self._place is not None:
                with self._waiting():
                    held.enter_context(_locked(_beginnings(self._place), fcntl.LOCK_EX))
            with self.shared():
                yield

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the GPU and nobody else does: those that wait for this go one after the other, then the rest."""
        with contextlib.ExitStack() as held:
            if self._place is not None:
                with self._waiting():
                    self._let_others_go_on(self._place)
                    held.enter_context(_locked(self._door, fcntl.LOCK_SH))
                    held.enter_context(_locked(self._place, fcntl.LOCK_EX))
            yield

    def _let_others_go_on(self, place: str | Path) -> None:
        """Until nobody has the GPU, or somebody else shuts the door, or patience is at an end."""
        until, shut = time.monotonic() + self._patience_s, 0
        # Who passes the door, or tries it as we do, holds it for a moment: one look says nothing.
        while time.monotonic() < until and shut < SHUT and not _is_free(place):
            shut = 0 if _is_free(self._door) else shut + 1
            time.sleep(POLL_S)

    @property
    def _door(self) -> str:
        """Held in common by all who wait to be alone, and passed alone by whoever comes to share."""
        return f"{self._place}.wanted"


def place_of(gpu: str) -> Path:
    """Where the turns of the GPU of that UUID are taken, by every process of this user on this machine."""
    return Path(tempfile.gettempdir()) / f"kmaint-{os.getuid()}-gpu-{gpu.replace('/', '-')}.lock"


def taken_at(place: Path) -> tuple[Path, ...]:
    """The files whose locks are the turns, which are there afterwards: whoever takes turns behind walls needs all."""
    files = (place, Path(f"{place}.wanted"), Path(_beginnings(place)))
    for file in files:
        file.touch()
    return files


def _beginnings(place: str | Path) -> str:
    """Held by the one that makes a context."""
    return f"{place}.begins"


@contextlib.contextmanager
def _locked(path: str | Path, how: int) -> Iterator[None]:
    with open(path, "w") as file:  # noqa: PTH123 - taken thousands of times
        fcntl.flock(file, how)
        yield


def _is_free(path: str | Path) -> bool:
    """Whether nobody has a lock of any kind on it at this moment."""
    try:
        with _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
            return True
    except BlockingIOError:
        return False
