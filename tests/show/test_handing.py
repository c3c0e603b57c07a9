"""What an answer that was handed in leads to, as it is printed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.console import DONE, NO, Format
from kmaint.records.run import Run
from kmaint.show.handing import submitted
from tests.agent.conftest import Judged
from tests.agent.test_chain import RUN


@pytest.fixture
def run() -> Run:
    return replace(RUN, provider="handoff")


def test_a_verdict_that_is_not_passed_is_a_no(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert submitted(run, (Judged().wrong("b"),), None, Format.TABLE) == NO
    capsys.readouterr()
    assert submitted(run, (Judged().passed("a", edit="one reciprocal"),), None, Format.JSON) == DONE
    said = json.loads(capsys.readouterr().out)
    assert (said["candidate"]["edit"], said["candidate"]["verdict"]) == ("one reciprocal", "passed")
    assert said["others"] == []


def test_an_answer_that_waits_for_others_to_its_turn_has_no_verdict(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert submitted(run, (), tmp_path, Format.JSON) == DONE
    assert json.loads(capsys.readouterr().out)["candidate"] is None
    assert submitted(run, (), tmp_path, Format.TABLE) == DONE
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first == "kept: it is weighed against the other answers to this turn, and the best of them is judged"
    assert second.startswith(f"request {tmp_path}: ")


def test_each_verdict_that_an_answer_brought_is_said(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    brought = (Judged().passed("a"), Judged().wrong("b"))
    assert submitted(run, brought, None, Format.TABLE) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == [f"candidate {one.candidate.id}" for one in brought]
    submitted(run, brought, None, Format.JSON)
    said = json.loads(capsys.readouterr().out)
    assert [said["candidate"]["id"], *(one["id"] for one in said["others"])] == [one.candidate.id for one in brought]


def test_an_answer_that_came_too_late_to_be_judged_is_said_to_be_kept(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    submitted(replace(run, state="no_win"), (), None, Format.TABLE)
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "kept, and not judged: the budget was spent first, and a larger one judges it"
