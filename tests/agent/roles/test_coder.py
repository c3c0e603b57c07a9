"""What a coder sees: the plan and the source, and nothing to weigh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kmaint import wire
from kmaint.agent.models import InvalidAnswer
from kmaint.agent.proposal import Request
from kmaint.agent.roles import coder
from kmaint.agent.roles.answers import Change, CodeAnswer
from kmaint.agent.roles.shown import lesson_text
from kmaint.records.evaluation import Plan
from tests.agent.roles.test_planner import LESSON


def test_it_sees_the_plan_and_the_source_only(request_: Request, plan: Plan, hold: Callable[[str, str], None]) -> None:
    question = coder(request_, plan)
    hold("coder", question.prompt)
    for unseen in ("roofline", "hoist the division", "T64"):
        assert unseen not in question.prompt


def test_it_sees_how_edits_of_the_plans_kind_won_before(request_: Request, plan: Plan) -> None:
    other = replace(LESSON, edit="num_warps")
    trap = replace(LESSON, edit="exp2_for_exp", outcome="trap", codes=("mismatch",))
    like = replace(LESSON, edit="reciprocal", slow="x = a / b\n", fast="x = a * r\n")
    prompt = coder(replace(request_, lessons=(other, like, trap)), plan).prompt
    assert f"of other kernels perhaps:\n- {lesson_text(like)}\n\nAnswer with" in prompt
    assert "\n    -x = a / b\n    +x = a * r\n" in prompt
    assert "won in earlier runs" not in coder(replace(request_, lessons=(other, trap)), plan).prompt


def test_its_result_is_a_whole_file_that_was_not_judged(request_: Request, plan: Plan) -> None:
    question = coder(request_, plan)
    old = "tl.exp(p_lse) / out_se"
    source = question.read(CodeAnswer(changes=(Change(old=old, new="tl.exp(p_lse) * (1.0 / out_se)"),)))
    assert source.startswith('"""`merge_state_kernel` of sglang 0.5.17')
    assert question.about(source) == wire.digest(source)
    with pytest.raises(InvalidAnswer):
        question.read(CodeAnswer(changes=(Change(old=old, new="out_se"),)))
