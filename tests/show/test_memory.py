"""What `kmaint memory` prints."""

from __future__ import annotations

import json

import pytest

from kmaint.console import Format
from kmaint.records.lesson import Lesson
from kmaint.show.memory import lessons

WIN = Lesson(
    outcome="win",
    operation="norm",
    arch="sm_90",
    bottleneck="memory",
    edit="one_pass",
    why="one pass over the row",
    kernel="elementwise.py::fused_rmsnorm_kernel",
    slow="the source before",
    fast="the source after",
    gain=1.25,
    estimated=True,
)
TRAP = Lesson(
    outcome="trap",
    operation="norm",
    arch="sm_90",
    bottleneck="memory",
    edit="reciprocal",
    why="one division",
    kernel="elementwise.py::fused_rmsnorm_kernel",
    slow="",
    fast="",
    codes=("mismatch",),
    reason="off by one",
)


def test_a_line_says_what_to_make_of_an_edit(capsys: pytest.CaptureFixture[str]) -> None:
    lessons([WIN, TRAP], 1, Format.TABLE)
    said = capsys.readouterr().out
    assert "1.25x estimated" in said
    assert "mismatch: off by one" in said
    assert said.endswith("1 of 2 lessons added\n")
    assert "the source" not in said


def test_one_object_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    lessons([TRAP], None, Format.JSON)
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["added"]) == ("kmaint.memory/1", None)
    assert said["lessons"][0]["codes"] == ["mismatch"]
    assert not {"slow", "fast"} & set(said["lessons"][0])
