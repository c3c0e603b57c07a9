"""Records how a framework's kernels are called while any program runs, without a change to framework or program."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from extract.capture.interpreter import framework_of
from extract.capture.plan import Target, targets
from extract.capture.record import merge, read_capture, read_record, write_record
from extract.capture.recorder import INSTRUCTIONS
from kmaint.child import run_attached
from kmaint.records.call import Capture
from kmaint.records.kernel import Release

__all__ = ["Limits", "Target", "framework_of", "read_capture", "read_record", "run_captured", "targets"]

HOOK = Path(__file__).parent / "hook"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a record may hold of each launcher in each process; past `ways`, calls are only counted."""

    ways: int = 512
    sampled: int = 32
    """How many of those keep values of their index tensors; the others keep the lowest and the highest."""
    values: int = 4096
    """Elements of an index tensor that are kept."""


def run_captured(
    command: Sequence[str], watched: Sequence[Target], release: Release, record: Path, *, limits: Limits | None = None
) -> tuple[Capture, int]:
    """Run the command with its own streams, write what it called to `record`; that, and the command's exit status.

    The record is written however the command ends, unless it cannot be started: MissingError.
    """
    limits = limits or Limits()
    record.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{record.name}.", dir=record.parent) as name:
        folder = Path(name).resolve()
        plan = {"folder": str(folder), "watched": [asdict(one) for one in watched], "limit": limits.ways}
        instructions = folder / "instructions.json"
        instructions.write_text(json.dumps({**plan, "sampled": limits.sampled, "values": limits.values}))
        status = run_attached(command, env=captured_environment(os.environ, instructions))
        capture = merge(folder, watched, limits.ways, release, f"capture {record.stem}")
    write_record(capture, record)
    return capture, status


def captured_environment(environment: Mapping[str, str], instructions: Path) -> dict[str, str]:
    """The environment with which every Python below records, unless it is started with -E, -I or -S."""
    paths = [str(HOOK), *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths), INSTRUCTIONS: str(instructions)}
