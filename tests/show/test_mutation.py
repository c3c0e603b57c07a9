from __future__ import annotations

import json

import pytest

from kmaint.console import Format
from kmaint.records.mutation import Judged, Mutation, State
from kmaint.show import mutation as show_mutation


def judged(line: int, operator: str, state: State, reason: str, by: str = "") -> Judged:
    return Judged(
        id=str(line),
        operator=operator,
        function="kernel",
        line=line,
        sentence="it slips",
        state=state,
        reason=reason,
        by=by,
    )


FOUND = Mutation(
    harness="a.py::kernel",
    judged=(
        judged(9, "boundary", "survived", "x differs"),
        judged(3, "boundary", "killed", "y differs", "test_smoke"),
        judged(4, "lost_scale", "killed", "z differs", "test_smoke"),
        judged(5, "lost_scale", "unchanged", "the same bits"),
        judged(6, "wrong_axis", "not_built", "raises"),
        judged(7, "wrong_axis", "rounding", "a last bit"),
    ),
    planted=7,
    reused=2,
)


def test_the_score_is_of_those_that_change_behaviour(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_mutation.mutation(FOUND, 60.0, Format.JSON) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "kmaint.mutate/1"
    assert said["counts"] == {
        "planted": 7,
        "tried": 6,
        "reused": 2,
        "killed": 2,
        "survived": 1,
        "rounding": 1,
        "unchanged": 1,
        "not_built": 1,
    }
    assert (said["changing"], said["score"], said["strict_score"]) == (3, 2 / 3, 1 / 2)
    assert said["killed_by"] == {"test_smoke": 2}
    assert [one["reason"] for one in said["rounding"]] == ["a last bit"]
    assert [one["reason"] for one in said["survivors"]] == ["x differs"]
    assert [one["reason"] for one in said["unchanged"]] == ["the same bits"]
    assert [one["line"] for one in said["mutants"]] == [3, 4, 6]


def test_a_person_reads_a_row_for_each_kind_and_every_survivor(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_mutation.mutation(FOUND, 97.0, Format.TABLE) == 1
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "defect killed survived rounding unchanged not built",
        "boundary 1 1 0 0 0",
        "lost_scale 1 0 0 1 0",
        "wrong_axis 0 0 1 0 1",
        "survived: boundary in kernel, line 9: it slips; x differs",
        "rounding: wrong_axis in kernel, line 7: it slips; a last bit",
        "unchanged: lost_scale in kernel, line 5: it slips; the same bits",
        "2 of 3 mutants that change behaviour are killed: 66.7% (50.0% with those within the tolerance), at "
        "least 97 % wanted; 6 of 7 were tried",
    ]


def test_nothing_to_score_is_a_no(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_mutation.mutation(Mutation(harness="a", judged=(), planted=0), 0.0, Format.TABLE) == 1
    assert "nothing to score" in capsys.readouterr().out
