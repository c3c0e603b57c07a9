"""Runs that there are, and where what belongs to one lies."""

from __future__ import annotations

from pathlib import Path

from kmaint.config import Config
from kmaint.records.run import Run
from kmaint.store import Store


def run_folder(run: Run, config: Config) -> Path:
    """Where a run's report, texts and patch lie; made when asked for."""
    path = config.state / "runs" / run.id
    path.mkdir(parents=True, exist_ok=True)
    return path


def find_run(text: str, config: Config) -> Run:
    """The run with that id, or the only one that begins so."""
    with Store(config.state) as store:
        return store.run(text)


def all_runs(config: Config) -> list[Run]:
    """Every run of the state folder, oldest first."""
    with Store(config.state) as store:
        return store.runs()
