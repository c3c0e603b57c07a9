"""What a planner sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kmaint.agent.kinds import MEANS
from kmaint.agent.models import InvalidAnswer
from kmaint.agent.proposal import Request
from kmaint.agent.roles import planner
from kmaint.agent.roles.answers import PlanAnswer
from kmaint.agent.roles.shown import lesson_text
from kmaint.records.lesson import Lesson

LESSON = Lesson(
    outcome="win",
    operation="norm",
    arch="sm_90",
    bottleneck="memory",
    edit="one_pass",
    why="the row is read once",
    kernel="a",
    slow="x = load(p)\n",
    fast="x = load(p, mask)\n",
    gain=1.25,
    agreeing=2,
)


def test_it_sees_the_profile_the_sizes_the_history_and_numbered_lines(
    request_: Request, hold: Callable[[str, str], None]
) -> None:
    question = planner(request_)
    assert question.role == "planner"
    hold("planner", question.prompt)


def test_what_a_judge_said_and_what_was_learned_stand_in_it_where_there_is_any(request_: Request) -> None:
    parent = replace(request_.parent, id="0a1b2c3d4e5f", ratio=1.25)
    prompt = planner(replace(request_, parent=parent, lessons=(LESSON,)), advice="loads are still narrow").prompt
    assert "as 0a1b2c3d4e5f has it, 1.25x the original's speed by what is known." in prompt
    assert "A judge of its profile said of 0a1b2c3d4e5f: loads are still narrow\n" in prompt
    assert f"Learned in earlier runs:\n- {lesson_text(LESSON)}\n" in prompt
    assert "\n    -x = load(p)\n    +x = load(p, mask)\n" in prompt
    assert "Learned" not in planner(request_).prompt


def test_a_plan_of_a_kind_that_the_profile_rules_out_is_no_answer(request_: Request) -> None:
    answer = PlanAnswer(
        bottleneck="compute", edit="wider loads", kind="access", why="fewer of them", first_line=44, last_line=50
    )
    assert planner(request_).read(answer).edit == "wider loads"
    compute = replace(request_.parent.profile, bottleneck="compute", estimated=False)
    bound = planner(replace(request_, parent=replace(request_.parent, profile=compute)))
    assert "Ruled out" not in planner(request_).prompt
    assert "Ruled out by the profile, as kinds of edit:\n- access: bound by arithmetic" in bound.prompt
    assert [f"- {kind}: {MEANS[kind]}\n" in bound.prompt for kind in ("access", "passes")] == [False, True]
    with pytest.raises(InvalidAnswer, match="of the kind access, which the profile rules out: bound by arithmetic"):
        bound.read(answer)


def test_what_the_strategy_wants_of_the_turn_stands_in_it(request_: Request) -> None:
    asked = replace(request_, kinds=frozenset({"tiling", "access"}))
    assert "Asked for on this turn:\n- an edit of this kind: access or tiling\n" in planner(asked).prompt
    assert "Asked for" not in planner(request_).prompt
