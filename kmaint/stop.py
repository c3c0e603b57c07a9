"""Ends what runs in other processes once nobody wants to know any more what would come of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class Stopped(Exception):
    """The work was let go of before it ended, so that nothing is known of it."""


class Stop:
    """Whether some piece of work was let go of. Any thread may do so, and any may be at work."""

    def __init__(self) -> None:
        self._lock, self._let_go = threading.Lock(), False
        self._ends: list[Callable[[], None]] = []

    def let_go(self) -> None:
        """End what runs for this work, and whatever is begun for it from now on."""
        with self._lock:
            self._let_go = True
            for end in self._ends:
                end()

    def check(self) -> None:
        """Stopped if the work was let go of."""
        if self._let_go:
            raise Stopped

    @contextlib.contextmanager
    def ending(self, end: Callable[[], None]) -> Iterator[None]:
        """While the block lasts, `end` is called once the work is let go of, or at once where it was.

        Stopped at the end of the block then: what it found is of a process that was killed. `end` must not wait.
        """
        with self._lock:
            self._ends.append(end)
            if self._let_go:
                end()
        try:
            yield
        finally:
            with self._lock:
                self._ends.remove(end)
        self.check()
