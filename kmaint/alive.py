"""Whether a process still runs, by a lock that the system lets go of with it: killed or not, whatever its number is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path


class Worker:
    """This process as others see it: a file in a folder that they share, locked until it ends or `leave` is called."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._path = folder / self.name
        self._file = self._path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def leave(self) -> None:
        self._path.unlink(missing_ok=True)
        self._file.close()


def is_alive(folder: Path, name: str) -> bool:
    """Whether the worker of that name still runs; the file of one that does not is taken away."""
    path = folder / name
    try:
        with path.open("r+") as file:
            # Shared, so that two who ask at once do not take each other for it.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    return False
