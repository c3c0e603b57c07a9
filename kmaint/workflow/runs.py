"""Runs that there are, and where what belongs to one lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kmaint import agent
from kmaint.config import Config
from kmaint.records.run import Run
from kmaint.store import Store


def place_of(run_id: str, config: Config) -> Path:
    """Where all that belongs to a run lies, if anything does."""
    return config.state / "runs" / run_id


def run_folder(run: Run, config: Config) -> Path:
    """Where a run's report, texts and patch lie; made when asked for."""
    path = place_of(run.id, config)
    path.mkdir(parents=True, exist_ok=True)
    return path


def find_run(text: str, config: Config) -> Run:
    """The run with that id, or the only one that begins so."""
    with Store(config.state) as store:
        return store.run(text)


def request_of(run: Run, config: Config) -> Path | None:
    """The folder of the request that a run waits with; None where it waits for nothing."""
    place = agent.request_folder(place_of(run.id, config), len(run.evaluations))
    return place if run.state == "running" and place.is_dir() else None


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A run, whether a process works on it now, and whether it waits for an answer from outside."""

    run: Run
    at_work: bool
    waits: bool = False

    @property
    def state(self) -> str:
        """As the run's own, but `waits`, or `stopped` where it was killed before it could say how it ended."""
        if self.run.state != "running" or self.at_work:
            return self.run.state
        return "waits" if self.waits else "stopped"


def list_runs(config: Config) -> list[Listed]:
    """Every run of the state folder, oldest first."""
    with Store(config.state) as store:
        return [
            Listed(run=run, at_work=store.is_worked_on(run.id), waits=request_of(run, config) is not None)
            for run in store.runs()
        ]
