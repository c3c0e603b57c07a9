"""Where the programs of the CUDA toolkit are that look at a running kernel."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NAMED = ("CUDA_HOME", "CUDA_PATH")
USUAL = Path("/usr/local/cuda")
NSIGHT = Path("/opt/nvidia/nsight-compute")
"""Where Nsight Compute installs itself apart from the toolkit, in a folder for each release."""


def find_program(name: str) -> str | None:
    """The program on PATH, or where CUDA or Nsight Compute is installed."""
    homes = [*(Path(root) for variable in NAMED if (root := os.environ.get(variable))), USUAL]
    newest_first = sorted(NSIGHT.glob("*"), key=_release, reverse=True)
    places = [*(home / "bin" for home in homes), *newest_first]
    return shutil.which(name) or next((str(p / name) for p in places if (p / name).is_file()), None)


def _release(folder: Path) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in folder.name.split(".")]
