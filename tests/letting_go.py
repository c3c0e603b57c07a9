"""Lets go of a piece of work once a file says that it has begun."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from kmaint.stop import Stop


@contextlib.contextmanager
def let_go_once(began: Path, stop: Stop) -> Iterator[None]:
    """What the block does is let go of once the file is there, which the block has to bring about."""

    def let_go() -> None:
        while not began.exists():
            time.sleep(0.02)
        stop.let_go()

    other = threading.Thread(target=let_go, daemon=True)
    other.start()
    yield
    other.join()
