"""Walls that a worker puts around itself before it imports a candidate, and notes of what the candidate then does."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def shut_in(walls: dict[str, Any], folder: Path, *, watching: bool = True) -> int | None:
    """Give up what a worker does not need, and note what a candidate does; the descriptor of the notes.

    None where nothing is to be noted, or the harness's runtime is of before there were notes.
    """
    launcher = _launcher(walls["launcher"])
    watching = watching and importlib.util.find_spec("runtime.guard") is not None
    modules = [importlib.import_module(f"runtime.{name}") for name in ("guard", "view")] if watching else []
    if walls["words"]:
        # Found once and then kept: what torch imports, dill for one, may have asked for it while /tmp could be written.
        tempfile.tempdir = None
        launcher.confine(walls["words"])
    if not modules:
        return None
    from .calls import cases  # which needs a harness

    guard, view = modules
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    own = [
        Path(cases.__file__).parent,
        Path(__file__).parents[2],
    ]  # all of kmaint: a warm interpreter may have forked us
    guard.Guard(own, view.forbidden_modules(folder), writing).watch()
    return reading


def seen(notes: int | None) -> list[Any]:
    """What was noted, as codes with words."""
    try:
        lines = os.read(notes, 1 << 16).splitlines() if notes is not None else []
    except BlockingIOError:
        return []
    return [json.loads(line) for line in lines]


def shut_in_to_time(walls: dict[str, Any] | None, folder: Path, scratch: Path) -> None:
    """As `shut_in` where there are walls, unwatched: what is timed is timed as it will run.

    Before there is a CUDA context, so that threads of the driver stand behind them too. RuntimeError where there are
    others already, which would not: Landlock and seccomp are a thread's own.
    """
    if not (walls and walls["words"]):
        return
    if others := len(os.listdir("/proc/self/task")) - 1:  # noqa: PTH208 - no pathlib: of this very thread
        raise RuntimeError(f"{others} threads started before there were walls")
    # Triton's own files, and those of the compilers that it starts, may lie nowhere else.
    tempfile.tempdir = os.environ["TMPDIR"] = str(scratch)
    shut_in(walls, folder, watching=False)


def _launcher(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("launcher", path)
    assert spec is not None and spec.loader is not None
    launcher = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(launcher)
    return launcher
