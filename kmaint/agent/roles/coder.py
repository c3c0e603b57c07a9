"""The coder sees the parent's source, the plan and how such edits won before, and applies it: nothing to weigh."""

from __future__ import annotations

from kmaint import wire
from kmaint.agent.kinds import kind_of
from kmaint.agent.models import Question
from kmaint.agent.proposal import Request
from kmaint.agent.roles.answers import CodeAnswer
from kmaint.agent.roles.applying import source_of
from kmaint.agent.roles.prompting import regions, render
from kmaint.agent.roles.shown import lesson_text
from kmaint.records.evaluation import Plan


def coder(request: Request, plan: Plan) -> Question[CodeAnswer, str]:
    """Its result is a whole kernel.py."""
    base = request.parent.source
    judged = {wire.digest(base), *(one.candidate.id for one in request.history)}
    lines = base.splitlines()
    span = "\n".join(lines[plan.anchor[0] - 1 : plan.anchor[1]]) if plan.anchor else ""
    wins = [one for one in request.lessons if one.outcome == "win" and kind_of(one.edit) == kind_of(plan.edit)]
    prompt = render(
        "coder",
        request.harness,
        source=base,
        regions=regions(base),
        plan=plan,
        span=span,
        examples=[lesson_text(lesson) for lesson in wins],
    )
    return Question(
        role="coder",
        prompt=prompt,
        answer=CodeAnswer,
        read=lambda found: source_of(found, base, judged),
        about=wire.digest,
    )
