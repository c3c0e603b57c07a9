"""Tries to get out of a sandbox; prints one JSON object of what must not be possible, and whether it was."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    asked = json.loads(sys.argv[1])
    Path("kept").write_text("a scratch folder is there to be written")
    if importlib.util.find_spec("torch") is None:
        sys.exit("torch cannot be read")
    if asked["gpu"] and ctypes.CDLL("libcuda.so.1").cuInit(0) != 0:
        sys.exit("no GPU can be reached")
    _managed(lambda: (Path(asked["outside"]) / "written").write_text("x"))  # who asked looks whether it is there
    attempts: dict[str, Callable[[], object]] = {
        "read what is not its own": lambda: Path(asked["secret"]).read_text(),
        "signal to the parent": lambda: os.kill(asked["parent"], 0),
        "connection": _connect,
        "fill the disk": _fill,
    }
    if not asked["gpu"]:
        attempts["fork"] = _fork
    print(json.dumps({what: _managed(attempt) for what, attempt in attempts.items()}))  # noqa: T201 - its answer


def _managed(attempt: Callable[[], object]) -> bool:
    with contextlib.suppress(OSError):
        return attempt() is not None or attempt is not _connect
    return False


def _connect() -> object:
    """Whether there is a way to any other machine: a datagram to an address of documentation, which nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.1", 9))
        return one.getsockname()[0]


def _fork() -> object:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return child


def _fill() -> object:
    """Whether more than a scratch folder holds can be written: a hole of the file system's size and one byte."""
    with Path("large").open("wb") as file:
        file.truncate((1 << 30) + 1)
        return file.tell()


if __name__ == "__main__":
    main()
