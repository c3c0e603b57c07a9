"""A script as a worker is run: in an interpreter that imports the workers and the harness's own runtime by name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import kmaint.evaluate
from kmaint.records.harness import Harness


@pytest.fixture
def printed(harness: Harness) -> Callable[[str], list[str]]:
    """The lines that a script prints, which must not fail."""

    def run(script: str) -> list[str]:
        paths = [str(harness.folder), str(Path(kmaint.evaluate.__file__).parent)]
        found = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        return found.stdout.splitlines()

    return run
