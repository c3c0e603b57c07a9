"""What a planner sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kmaint.agent.proposal import Request
from kmaint.agent.roles import planner


def test_it_sees_the_profile_the_sizes_the_history_and_numbered_lines(
    request_: Request, hold: Callable[[str, str], None]
) -> None:
    question = planner(request_)
    assert question.role == "planner"
    hold("planner", question.prompt)


def test_what_a_judge_said_and_what_was_learned_stand_in_it_where_there_is_any(request_: Request) -> None:
    parent = replace(request_.parent, id="0a1b2c3d4e5f", ratio=1.25)
    prompt = planner(
        replace(request_, parent=parent), advice="loads are still narrow", lessons=["tiles win on norms"]
    ).prompt
    assert "as 0a1b2c3d4e5f has it, 1.25x the original's speed by what is known." in prompt
    assert "A judge of its profile said of 0a1b2c3d4e5f: loads are still narrow\n" in prompt
    assert "Learned on other kernels:\n- tiles win on norms\n" in prompt
    assert "Learned" not in planner(request_).prompt
