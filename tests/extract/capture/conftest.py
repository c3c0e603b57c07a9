"""Runs the case program as a user would, under the recorder, and gives back what was recorded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from extract.capture import Limits, read_capture, run_captured, targets
from extract.scan import scan_tree
from kmaint.records.call import Call, Capture

CASES = Path(__file__).parent / "cases"
TREE = CASES / "tree"
Captured = Callable[..., tuple[Capture, int]]


@pytest.fixture
def program_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the case program needs of its environment."""
    monkeypatch.setenv("PYTHONPATH", str(TREE))
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")


@pytest.fixture
def captured(tmp_path: Path, program_environment: None) -> Captured:
    """Captures `program.py MODE`; the record is read back from its file, and nothing else may be left beside it."""

    def run(mode: str, *, limits: Limits | None = None) -> tuple[Capture, int]:
        scan = scan_tree(TREE)
        record = tmp_path / "out" / "calls.jsonl"
        command = [sys.executable, str(CASES / "program.py"), mode]
        found, status = run_captured(command, targets(TREE, scan.kernels), scan.release, record, limits=limits)
        assert read_capture(record) == found
        assert list(record.parent.iterdir()) == [record]
        return found, status

    return run


def counts(capture: Capture, level: str = "launcher") -> dict[str, int]:
    """Calls of each watched one that was called, by its name without the path."""
    return {one.id.rpartition("::")[2]: one.calls for one in capture.watched if one.calls and one.level == level}


def calls_of(capture: Capture, name: str) -> list[Call]:
    """The calls of one launcher or kernel, in the record's order."""
    return [call for call in capture.calls if call.launcher.endswith(f"::{name}")]
