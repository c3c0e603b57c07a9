"""Ends what runs in other processes once nobody wants to know any more what would come of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


class Stopped(Exception):
    """The work was let go of before it ended, so that nothing is known of it."""


@dataclass
class _Entered:
    """How far a thread has come that enters a context for another."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)
    inside: bool = False
    unwanted: bool = False
    error: BaseException | None = None


class Stop:
    """Whether some piece of work was let go of. Any thread may do so, and any may be at work."""

    def __init__(self) -> None:
        self._lock, self._let_go = threading.Lock(), False
        self._ends: list[Callable[[], None]] = []

    def let_go(self) -> None:
        """End what runs for this work, and whatever is begun for it from now on."""
        with self._lock:
            self._let_go = True
            while self._ends:
                self._ends.pop()()

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
            if self._let_go:
                end()
            else:
                self._ends.append(end)
        try:
            yield
        finally:
            with self._lock, contextlib.suppress(ValueError):  # it was called
                self._ends.remove(end)
        self.check()

    @contextlib.contextmanager
    def waiting(self, context: contextlib.AbstractContextManager[None]) -> Iterator[None]:
        """The context, which may take long to enter; Stopped where the work is let go of meanwhile.

        It is entered in a thread of its own, which may wait for what cannot be given up, and then leaves at once.
        """
        entered = _Entered()
        threading.Thread(target=_enter, args=(context, entered), daemon=True).start()
        try:
            with self.ending(entered.over.set):
                entered.over.wait()
        except Stopped:
            with entered.lock:
                entered.unwanted = True
                left = entered.inside
            if left:
                context.__exit__(None, None, None)
            raise
        if entered.error is not None:
            raise entered.error
        with contextlib.ExitStack() as held:
            held.push(context.__exit__)
            yield


NEVER = Stop()
"""Of what nobody lets go."""


def _enter(context: contextlib.AbstractContextManager[None], entered: _Entered) -> None:
    try:
        context.__enter__()
    except BaseException as error:  # noqa: BLE001 - raised again where it was waited for
        entered.error = error
        entered.over.set()
        return
    with entered.lock:
        entered.inside = not entered.unwanted
    if entered.inside:
        entered.over.set()
    else:
        context.__exit__(None, None, None)
