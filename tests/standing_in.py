"""Programs that stand where NVIDIA's tools do, which need a GPU."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

TABLE = Path(__file__).parent / "cases" / "ncu" / "raw.csv"

PROGRAM = """\
#!{python}
import os, subprocess, sys
from pathlib import Path

with open({calls!r}, "a") as calls:
    print(*sys.argv[1:], sep="\\t", file=calls)
(log,) = [word.removeprefix("--log-file=") for word in sys.argv if word.startswith("--log-file=")]
runner = [word for word in sys.argv[1:] if not word.startswith("--")]
# No GPU is here, so that what would run on one is interpreted.
ended = subprocess.run(runner, env={{**os.environ, "TRITON_INTERPRET": "1"}})
Path(log).write_text(Path({table!r}).read_text())
sys.exit(ended.returncode)
"""


def ncu(folder: Path, monkeypatch: pytest.MonkeyPatch, *, table: Path = TABLE) -> Path:
    """Put one on PATH that runs what it is given, for real, and answers with a recorded table.

    The file of its calls, a line for each, is there after the first.
    """
    folder.mkdir(parents=True)
    program, calls = folder / "ncu", folder / "calls"
    program.write_text(PROGRAM.format(python=sys.executable, table=str(table), calls=str(calls)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return calls


def endless(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put one of that name on PATH that never ends; the file that is there once it has begun."""
    folder.mkdir(parents=True)
    program, began = folder / name, folder / "began"
    program.write_text(f"#!/bin/sh\ntouch {began}\nsleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return began
