"""A state folder with the nine runs that an H200 measured, with the harness of one of them; and a landed win."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.config import Config, load_config
from kmaint.records.harness import Harness
from kmaint.store import Store
from tests.landed import landed, own_git, tree, won
from tests.learning.conftest import harness, measured_run, measured_runs
from tests.reintegrate.kinds.cuda.conftest import landable

__all__ = ["harness", "landable", "landed", "own_git", "tree", "won"]


@pytest.fixture
def config(tmp_path: Path, harness: Harness) -> Config:
    found = load_config(state=tmp_path / "measured")
    with Store(found.state) as store:
        for run in measured_runs():
            there = run.id == measured_run().id
            store.begin(replace(run, harness=str(harness.folder) if there else f"gone/{run.harness}"))
    return found


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to write into, which commands find themselves in."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
