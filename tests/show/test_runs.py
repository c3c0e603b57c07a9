"""What commands on runs print: how each stands; and of a landing its branch, its kind and its checks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kmaint.console import Format
from kmaint.records.change import Check, Landing
from kmaint.records.run import Budget, Run
from kmaint.show import runs as show
from kmaint.workflow import Listed
from tests.learning.conftest import measured_run


def begun(ago: timedelta, **more: object) -> Run:
    return replace(measured_run(), created=(datetime.now(UTC) - ago).isoformat(timespec="seconds"), **more)  # type: ignore[arg-type]


def listed() -> list[Listed]:
    return [
        Listed(run=begun(timedelta(days=3)), at_work=False),
        Listed(run=begun(timedelta(hours=5), state="running", best=None, budget=Budget(candidates=8)), at_work=True),
        Listed(run=begun(timedelta(minutes=7), state="running", best=None, evaluations=()), at_work=False),
        Listed(run=begun(timedelta(seconds=20), state="no_win", best=None, evaluations=()), at_work=False),
    ]


def test_a_line_says_how_it_stands_its_best_and_its_age(capsys: pytest.CaptureFixture[str]) -> None:
    show.runs(listed(), Format.TABLE)
    lines = [" ".join(line.split()[1:-1]) for line in capsys.readouterr().out.splitlines()]
    assert lines[1:4] == [
        "won 2.03x (2.03 to 2.03): tile_programs 3 builtin 3 d",
        "running 2.03x (2.03 to 2.03): tile_programs 3 of 8 builtin 5 h",
        "stopped 0 of 6 builtin 7 min",
    ]
    assert lines[4].startswith("no_win 0 builtin 2")
    assert lines[4].endswith(" s")


def test_an_empty_state_folder_says_what_fills_it(capsys: pytest.CaptureFixture[str]) -> None:
    show.runs([], Format.TABLE)
    assert capsys.readouterr().out == "no run is in the state folder: 'kmaint optimize' begins one\n"


def test_a_script_reads_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    show.runs(listed(), Format.JSON)
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "kmaint.runs/1"
    assert [one["state"] for one in said["runs"]] == ["won", "running", "stopped", "no_win"]
    assert said["runs"][0]["ratio"]["ratio"] == pytest.approx(2.0296, abs=1e-3)
    assert said["runs"][1]["ratio"] is None


RUN = Run(
    id="merge-1a2b",
    harness="h",
    kernel="a.py::k",
    provider="builtin",
    strategy="lines",
    budget=Budget(),
    state="won",
    created="2026-11-29",
)
LANDED = Landing(
    tree="/tree",
    branch="kmaint/merge-1a2b",
    commit="c" * 40,
    base="b" * 40,
    diff="",
    stat="1 file changed",
    patch_file="/run/win.patch",
    kind="guarded",
    reason="it wins on T64 and loses on T4096",
    checks=(
        Check(name="outside the guard", state="passed", detail="9 cases go where they should"),
        Check(name="lint", state="not_run"),
    ),
)


def test_a_landing_is_told_with_its_kind_and_checks(capsys: pytest.CaptureFixture[str]) -> None:
    show.landing(RUN, LANDED, Format.TABLE)
    assert capsys.readouterr().out.splitlines() == [
        "branch kmaint/merge-1a2b at cccccccccccc",
        "1 file changed",
        "patch /run/win.patch",
        "guarded: it wins on T64 and loses on T4096",
        "passed   outside the guard: 9 cases go where they should",
        "not run  lint",
    ]


def test_as_json_it_is_the_record(capsys: pytest.CaptureFixture[str]) -> None:
    show.landing(RUN, LANDED, Format.JSON)
    printed = json.loads(capsys.readouterr().out)
    assert (printed["schema"], printed["kind"], printed["checks"][1]["state"]) == (
        "kmaint.reintegrate/1",
        "guarded",
        "not_run",
    )
