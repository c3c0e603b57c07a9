"""Runs that there are, and where what belongs to one lies."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A run, and whether a process works on it now."""

    run: Run
    at_work: bool

    @property
    def state(self) -> str:
        """As the run's own, but `stopped` where it was killed before it could say how it ended."""
        return "stopped" if self.run.state == "running" and not self.at_work else self.run.state


def list_runs(config: Config) -> list[Listed]:
    """Every run of the state folder, oldest first."""
    with Store(config.state) as store:
        return [Listed(run=run, at_work=store.is_worked_on(run.id)) for run in store.runs()]
