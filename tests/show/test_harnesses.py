"""What `kmaint check` answers: whether all passed, and of the best alone whether one won."""

from __future__ import annotations

import pytest

from kmaint.console import DONE, NO, Format
from kmaint.records.evaluation import Evaluation
from kmaint.show.harnesses import evaluation, evaluations
from tests.learning.conftest import failed, timed

WIN, FLAT, LEFT = timed(1.4, 1.5, 1.6, win=True), timed(0.99, 1.0, 1.01, win=False), failed("slower")


@pytest.mark.parametrize(
    ("found", "every", "best"),
    [
        ([WIN, FLAT], DONE, DONE),
        ([WIN, LEFT], NO, DONE),
        ([FLAT, FLAT], DONE, NO),
        ([LEFT, failed("wrong")], NO, NO),
    ],
)
def test_the_answer_on_many(found: list[Evaluation], every: int, best: int) -> None:
    named = {f"{n}.py": one for n, one in enumerate(found)}
    assert evaluations(named, Format.TABLE) == every
    assert evaluations(named, Format.TABLE, best=True) == best


def test_the_answer_on_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert [evaluation(one, Format.TABLE) for one in (WIN, FLAT, LEFT)] == [DONE, DONE, NO]
    assert [evaluation(one, Format.TABLE, best=True) for one in (WIN, FLAT, LEFT)] == [DONE, NO, NO]
    assert "slower (looks_slower): 1.00x (0.99 to 1.01) by a first look" in capsys.readouterr().out
