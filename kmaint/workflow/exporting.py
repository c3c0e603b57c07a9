"""What others read: a harness as trace files, runs as data sets."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import extract.interchange
from kmaint import folder, learning
from kmaint.config import Config
from kmaint.errors import HarnessError, UsageError
from kmaint.learning.scrubbing import known_secrets
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.store import Store
from kmaint.workflow.progress import Progress


def export_trace(sources: Sequence[str], into: Path, config: Config) -> list[Path]:
    """Write one harness as FlashInfer Trace files into a folder, which is made or added to; gives the files."""
    if len(sources) != 1:
        raise UsageError(
            f"flashinfer-trace files are made of one harness, and {len(sources)} are named", "name a harness folder"
        )
    source = Path(sources[0])
    if not source.exists() and _is_run(sources[0], config):
        raise UsageError(
            f"{source} is a run, and flashinfer-trace files are made of a harness",
            "name a harness folder, or say --to sft, preference or rl",
        )
    return extract.interchange.export_trace(folder.read_harness(source), into, python=str(config.python))


def _is_run(text: str, config: Config) -> bool:
    with Store(config.state) as store:
        return any(run_id.startswith(text) for run_id in store.ids())


def export_trajectories(
    sources: Sequence[str], to: learning.Dataset, into: Path, config: Config, progress: Progress
) -> int:
    """Write the attempts of those runs, or of all where none is named, as JSON lines; gives how many there are."""
    for text in sources:
        if (Path(text) / folder.MANIFEST).is_file():
            raise UsageError(
                f"{text} is a harness, and {to} data are made of runs",
                "name runs ('kmaint runs' lists them), or say --to flashinfer-trace",
            )
    with Store(config.state) as store:
        runs = [store.run(text) for text in sources] or store.runs()
    there, gone = _with_harness(runs)
    if gone and not there:
        raise HarnessError(gone[0], "its attempts begin at the original in there: put it back")
    told = learning.trajectories(there, to, known_secrets(os.environ))
    for line in (*gone, *told.left_out):
        progress(f"left out: {line}")
    folder.write_text(into, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in told.rows))
    return len(told.rows)


def _with_harness(runs: Sequence[Run]) -> tuple[list[tuple[Run, Harness]], list[str]]:
    """The runs whose harness is there, with it, and a line for each other one."""
    there, gone = [], []
    for run in runs:
        try:
            there.append((run, folder.read_harness(Path(run.harness))))
        except HarnessError as error:
            gone.append(f"run {run.id}: {error.message}")
    return there, gone
