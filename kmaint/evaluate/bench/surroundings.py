"""What a child of the target's interpreter has around it: its variables, its walls, its scratch folder."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kmaint.child import clean_environment

CACHE = "triton"
"""Triton's cache, in the scratch folder."""
LIBRARIES = ("KMAINT_CUDA_CACHE", "CUDA_PATH")
"""Where a CUDA harness keeps what is built of its own sources, and finds a compiler; no candidate is told of either."""
FEW_QUEUES = {"CUDA_DEVICE_MAX_CONNECTIONS": "2"}
"""Of the device's queues, for what makes no more than two streams: of eight contexts that an H200's driver made at once
each then took 0.73 s and not 1.03 (benchmarks/results/2026-12-02-h200-contexts.json). A candidate's own process, in
which a stream that nobody waits for has to show, and the clock's have as many as ever; a look's has two for both."""


def environment_of(
    harness: Path | None, scratch: Path, *, gpu: bool, interpret: bool = False, only: str | None = None
) -> dict[str, str]:
    """No GPU unless asked for, and `only` the one named then; triton's cache is the scratch folder's own."""
    extra = {name: os.environ[name] for name in LIBRARIES if name in os.environ}
    # Threads that start on import would stand outside of walls that a process puts around itself.
    extra["OPENBLAS_NUM_THREADS"] = "1"
    extra |= {"TRITON_CACHE_DIR": str(scratch / CACHE), "PYTHONPATH": str(harness) if harness else ""}
    if only or not gpu:
        extra["CUDA_VISIBLE_DEVICES"] = only if only and gpu else ""
    if interpret:
        extra["TRITON_INTERPRET"] = "1"
    return clean_environment(extra)


@contextlib.contextmanager
def subjects() -> Iterator[dict[str, str]]:
    """The variable that says where candidates' processes have their files: in memory, where kernels may be loaded from
    there. What is left in the folder when the block ends goes with it: whoever made it may have been killed."""
    shared = Path("/dev/shm")
    # In many containers nothing there may be executed, a kernel's library neither.
    fit = shared.is_dir() and not os.statvfs(shared).f_flag & os.ST_NOEXEC
    place, prefix = shared if fit else None, f"kmaint-subjects-{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place, ignore_cleanup_errors=True) as name:
        yield {"KMAINT_SUBJECTS": name}


@contextlib.contextmanager
def scratch_with(source: str) -> Iterator[tuple[Path, Path]]:
    """A folder that goes when the block ends, and the candidate's file in it.

    What a candidate's process still writes while it is killed may be left behind, and is no error.
    """
    with tempfile.TemporaryDirectory(prefix="kmaint-evaluate-", ignore_cleanup_errors=True) as name:
        candidate = Path(name) / "candidate.py"
        candidate.write_text(source)
        yield Path(name), candidate
