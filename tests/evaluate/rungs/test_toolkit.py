"""Where a program of the toolkit is looked for, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmaint.evaluate.rungs import toolkit
from kmaint.evaluate.rungs.toolkit import find_program


def installed(folder: Path, name: str = "ncu") -> str:
    folder.mkdir(parents=True)
    program = folder / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return str(program)


def test_path_then_the_toolkit_then_the_newest_release_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PATH", "CUDA_HOME", "CUDA_PATH"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setattr(toolkit, "USUAL", tmp_path / "usual")
    monkeypatch.setattr(toolkit, "NSIGHT", tmp_path / "nsight")
    assert find_program("ncu") is None
    installed(tmp_path / "nsight" / "2024.3.2")
    newest = installed(tmp_path / "nsight" / "2025.10.1")
    assert find_program("ncu") == newest
    for place in ("usual/bin", "CUDA_PATH/bin", "CUDA_HOME/bin", "PATH"):
        there = installed(tmp_path / place)
        assert find_program("ncu") == there
