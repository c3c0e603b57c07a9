"""How long a measurement goes on: played, for who only counts blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.evaluate.timing.measuring import workload_timing
from kmaint.evaluate.timing.ratios import combine, is_win
from kmaint.evaluate.timing.session import Effort, Session
from tests.evaluate.timing.test_measuring import VALUE


def asked(ratios: list[float]) -> dict[str, Any]:
    same = [10.0 + 0.01 * (n % 3) for n in range(len(ratios))]
    own = {"original_us": [10.0 * ratio for ratio in ratios], "candidate_us": [10.0] * len(ratios)}
    return {"ask": "blocks", "of": {"workload": "T4", "round": 0}, **own, "control_a_us": same, "control_b_us": same}


@given(before=st.lists(st.floats(0.5, 2.0), min_size=4, max_size=4), after=st.lists(st.floats(0.5, 2.0), max_size=8))
def test_what_is_given_up_would_not_have_become_a_win(before: list[float], after: list[float]) -> None:
    """Unless the blocks to come have nothing to do with those that were seen: half of them 9 % above the best one."""
    session = Session(scratch=Path(), effort=Effort())
    assert session.reply(asked([])) == {"blocks": 4}
    more = session.reply(asked(before))["blocks"]
    assert (more == 0) == (max(before) < 0.9) == bool(session.given_up)
    later = [min(ratio, 1.08 * max(before)) for ratio in after]
    if not more:
        value = {**VALUE, "original_us": asked(before + later)["original_us"]}
        value["candidate_us"] = [10.0] * len(value["original_us"])
        assert not is_win(combine([workload_timing("T4", 1.0, value)]))


def test_what_one_workload_has_made_hopeless_is_only_looked_at_on_the_others() -> None:
    session = Session(scratch=Path(), effort=Effort())
    assert session.reply(asked([0.7, 0.8, 0.75, 0.7])) == {"blocks": 0}
    assert session.given_up == "T4 ran at 0.80x in the best of 4 blocks"
    other = {**asked([1.5] * 4), "of": {"workload": "T64", "round": 0}}
    assert session.reply({**asked([]), "of": other["of"]}) == {"blocks": 4}
    assert session.reply(other) == {"blocks": 0}
    hopeful = Session(scratch=Path(), effort=Effort())
    near = [0.97, 0.99] * 24
    assert [hopeful.reply(asked(near[:n]))["blocks"] for n in (0, 4, 12, 24, 36, 48)] == [4, 8, 12, 12, 12, 0]


@pytest.mark.parametrize(
    "question",
    [
        {"ask": "seed"},
        {"ask": "seed", "of": {"round": "0", "workload": "T4"}},
        {"ask": "blocks", "of": {"round": 0, "workload": "T4"}},
        {**asked([1.0] * 4), "candidate_us": [0.0] * 4},
        {**asked([1.0] * 4), "control_a_us": []},
        {"ask": "run", "of": {"round": 0, "workload": "T4"}, "calls": 8},
    ],
)
def test_a_question_that_is_none_of_the_workers_is_noted_and_crashes_nothing(question: dict[str, Any]) -> None:
    session = Session(scratch=Path(), effort=Effort())
    assert session.reply(question) == {}
    assert session.made_up == question["ask"]


@given(st.recursive(st.none() | st.integers() | st.floats() | st.text(max_size=3), lambda of: st.lists(of, max_size=3)))
def test_whatever_stands_in_a_question_it_has_an_answer(found: Any) -> None:
    session = Session(scratch=Path(), effort=Effort())
    for name in ("of", "original_us", "calls"):
        for ask in ("blocks", "run", "outputs", "seed", "more"):
            assert isinstance(session.reply({**asked([1.0] * 4), "ask": ask, "calls": 1, name: found}), dict)
