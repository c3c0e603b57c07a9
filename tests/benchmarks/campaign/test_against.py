"""Which recorded runs are held against the operator that serving runs, and what of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.campaign import recorded
from benchmarks.campaign.against import pairs
from benchmarks.campaign.preparing import HARNESSES, PREPARED
from benchmarks.campaign.recorded import Recorded
from benchmarks.campaign.shipping import Against
from kmaint import folder, wire
from kmaint.records.harness import Harness

NAME = "sglang-merge-state-kernel"


@pytest.fixture
def prepared(tmp_path: Path, merge: Recorded) -> Path:
    """A folder as `prepare` leaves it, with the harness of one kernel that serving replaces by CUDA C++."""
    place = tmp_path / HARNESSES / NAME
    place.mkdir(parents=True)
    harness = replace(wire.load(Harness, merge.harness), folder=place)
    folder.write_manifest(harness)
    (place / "kernel.py").write_text("# as it was cut\n")
    ready = {"id": merge.run.kernel, "release": merge.release, "harness": NAME, "state": "ready"}
    (tmp_path / PREPARED.name).write_text(json.dumps([ready]))
    return tmp_path


def runs(tmp_path: Path, found: Recorded) -> Path:
    recorded.write(tmp_path / "runs" / NAME / "handoff.json", found)
    return tmp_path / "runs"


def test_the_winner_stands_against_the_operator_else_the_extracted_kernel(
    prepared: Path, tmp_path: Path, merge: Recorded
) -> None:
    (pair,) = pairs(prepared, runs(tmp_path, merge), "")
    assert merge.run.winner is not None
    assert (pair.source, pair.path) == (merge.run.winner.candidate.source, Path(NAME) / "handoff.json")
    lost = replace(merge, run=replace(merge.run, best=None))
    (pair,) = pairs(prepared, runs(tmp_path, lost), "merge")
    assert pair.source == "# as it was cut\n"
    assert list(pairs(prepared, tmp_path / "runs", "another")) == []


def test_what_was_timed_or_cut_from_other_sources_is_left(prepared: Path, tmp_path: Path, merge: Recorded) -> None:
    timed = replace(merge, shipped=Against(timing=merge.timing))
    assert list(pairs(prepared, runs(tmp_path, timed), "")) == []
    unknown = replace(merge, shipped=Against(reason="there was no GPU"))
    assert len(list(pairs(prepared, runs(tmp_path, unknown), ""))) == 1
    other = {**merge.harness, "provenance": {**merge.harness["provenance"], "line": 1}}
    assert list(pairs(prepared, runs(tmp_path, replace(merge, harness=other)), "")) == []
