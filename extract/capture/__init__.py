"""Records how a framework's kernels are called while any program runs, without a change to framework or program."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from extract.capture.attached import run_attached
from extract.capture.hook.kmaint_recorder import INSTRUCTIONS
from extract.capture.interpreter import framework_of
from extract.capture.plan import Limits, Target, targets
from extract.capture.record import calls_for_tree, merge, read_capture, read_record, write_record
from kmaint.errors import UsageError
from kmaint.records.call import Capture
from kmaint.records.kernel import Release

__all__ = [
    "Limits",
    "Target",
    "calls_for_tree",
    "framework_of",
    "read_capture",
    "read_record",
    "run_captured",
    "targets",
]

HOOK = Path(__file__).parent / "hook"


def run_captured(
    command: Sequence[str], watched: Sequence[Target], release: Release, record: Path, *, limits: Limits | None = None
) -> tuple[Capture, int]:
    """Run the command with its own streams, write what it called to `record`; that, and the command's exit status.

    The record is written however the command ends, unless it cannot be started: MissingError.
    """
    limits = limits or Limits()
    with _beside(record) as name:
        folder = Path(name).resolve()
        instructions = folder / "instructions.json"
        plan = {"folder": str(folder), "watched": [asdict(one) for one in watched], **asdict(limits)}
        instructions.write_text(json.dumps(plan))
        status = run_attached(command, env=captured_environment(os.environ, instructions))
        capture = merge(folder, watched, limits, release, f"capture {record.stem}")
    write_record(capture, record)
    return capture, status


def _beside(record: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder for the parts; UsageError, before anything runs, where the record could not be written."""
    if record.is_dir():
        raise UsageError(f"{record}: is a folder", "name a file to write with -o")
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=f".{record.name}.", dir=record.parent)
    except OSError as error:
        raise UsageError(f"{record}: cannot be written: {error.strerror}", "name another file with -o") from error


def captured_environment(environment: Mapping[str, str], instructions: Path) -> dict[str, str]:
    """The environment with which every Python below records, unless it is started with -E, -I or -S."""
    paths = [str(HOOK), *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths), INSTRUCTIONS: str(instructions)}
