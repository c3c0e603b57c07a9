"""Whose turn it is on the GPU: what is timed has it alone, what is only checked shares it; across processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Wait for the GPU and hold it for the block; the system lets go of it when this process ends, however it ends."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "all").replace("/", "-")
    with (Path(tempfile.gettempdir()) / f"kmaint-{os.getuid()}-gpu-{chosen}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
