"""merge_state of SGLang 0.5.17 as a harness with a suite of two cases, in a folder that a test may spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

from kmaint.folder import SUITE, read_harness
from kmaint.records.harness import Harness

CASE = Path(__file__).parent / "agent" / "cases" / "merge_state"
RUNTIME = Path(__file__).parents[1] / "extract" / "runtime"


def harness_in(folder: Path) -> Harness:
    """Written there, where nothing is yet, and read."""
    shutil.copytree(CASE, folder)
    (folder / "suite.py").rename(folder / SUITE)  # pytest would collect it under its own name
    shutil.copytree(RUNTIME, folder / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    return read_harness(folder)
