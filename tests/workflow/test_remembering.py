"""Lessons of a real store, and of a file from elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kmaint import workflow
from kmaint.config import load_config
from kmaint.records.run import Budget, Run
from kmaint.store import Store
from tests.agent.conftest import MACHINE, PROFILE, Judged

judged = Judged()


def run(harness: Path) -> Run:
    return Run(
        id="merge-1a2b",
        harness=str(harness),
        kernel="merge_state.py::merge_state_kernel",
        provider="builtin",
        strategy="lines",
        budget=Budget(),
        state="running",
        created="2026-11-01T00:00:00",
        evaluations=(judged.passed("fast", edit="tile_programs", measured=(1.5, 1.4)), judged.wrong("off")),
        baseline=PROFILE,
        environment=MACHINE,
    )


def test_every_run_of_the_state_folder_teaches_and_a_file_carries_it_on(tmp_path: Path) -> None:
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "kernel.py").write_text("as shipped")
    here = load_config(state=tmp_path / "here")
    with Store(here.state) as store:
        store.begin(run(tmp_path / "harness"))
        store.begin(replace(run(tmp_path / "gone"), id="gone-1a2b"))
    found = workflow.all_lessons(here)
    assert [(one.outcome, one.slow, one.fast) for one in found] == [
        ("win", "as shipped", "fast"),
        ("trap", "as shipped", "off"),
        ("win", "", "fast"),
        ("trap", "", "off"),
    ]
    file = tmp_path / "lessons.jsonl"
    assert (workflow.export_lessons(found, file), workflow.export_lessons(found, file)) == (4, 0)
    there = load_config(state=tmp_path / "there", memory=file)
    assert workflow.all_lessons(there) == found
    assert workflow.all_lessons(load_config(state=tmp_path / "here", memory=file)) == found
