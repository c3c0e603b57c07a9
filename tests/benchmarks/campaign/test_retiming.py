"""Which recorded runs are timed once more, and what the newer time stands for."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.campaign import recorded
from benchmarks.campaign.preparing import HARNESSES
from benchmarks.campaign.recorded import Recorded, Retimed
from benchmarks.campaign.retiming import left, retime, shortest_us
from benchmarks.campaign.rows import figure
from kmaint import folder, wire
from kmaint.records.harness import Harness
from kmaint.records.timing import Interval

NAME = "sglang-merge-state-kernel"


@pytest.fixture
def options(tmp_path: Path, merge: Recorded) -> argparse.Namespace:
    """A prepared folder with the one harness, and its run as handoff's."""
    place = tmp_path / "prepared" / HARNESSES / NAME
    place.mkdir(parents=True)
    folder.write_manifest(replace(wire.load(Harness, merge.harness), folder=place))
    (place / "kernel.py").write_text("# as it was cut\n")
    recorded.write(tmp_path / "runs" / NAME / "handoff.json", merge)
    given = {"folder": tmp_path / "prepared", "runs": tmp_path / "runs", "out": tmp_path / "out", "only": ""}
    return argparse.Namespace(**given, below_us=float("inf"), minutes=1.0, parallel=2, device="none")


def test_without_a_gpu_a_run_keeps_its_times_and_says_why_it_has_no_newer_ones(
    options: argparse.Namespace, merge: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retime(options) == 1
    found = recorded.read(options.out / NAME / "handoff.json")
    assert found is not None
    assert (found.retimed, found.timing) == (Retimed(reason="there was no GPU"), merge.timing)
    assert f"{NAME}/handoff.json: there was no GPU for 2.03x (2.03 to 2.03)" in capsys.readouterr().out
    assert list(left(options)) == []  # it is there by now


def test_what_takes_long_at_each_size_or_is_not_asked_for_is_left(options: argparse.Namespace, merge: Recorded) -> None:
    assert len(list(left(options))) == 1
    for name, value in {"below_us": shortest_us(merge), "only": "another"}.items():
        assert list(left(argparse.Namespace(**{**vars(options), name: value}))) == []


def test_the_newer_time_is_what_is_reported_and_a_win_no_more_where_it_is_none(merge: Recorded) -> None:
    assert merge.won and merge.timing is not None
    newer = replace(merge.timing, speedup=Interval(ratio=1.9, low=1.8, high=2.0))
    again = replace(merge, retimed=Retimed(timing=newer))
    assert (figure(again), again.won) == (newer, True)
    lost = replace(newer, speedup=Interval(ratio=1.0, low=0.99, high=1.01))
    assert not replace(merge, retimed=Retimed(timing=lost)).won
    assert figure(replace(merge, retimed=Retimed(reason="crashed"))) == figure(merge)
