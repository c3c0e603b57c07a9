"""The coder sees the parent's source and the plan, and applies it: no profile, no history, nothing to weigh."""

from __future__ import annotations

from kmaint import wire
from kmaint.agent.models import Question
from kmaint.agent.proposal import Request
from kmaint.agent.roles.answers import CodeAnswer
from kmaint.agent.roles.applying import source_of
from kmaint.agent.roles.prompting import regions, render
from kmaint.records.evaluation import Plan


def coder(request: Request, plan: Plan) -> Question[CodeAnswer, str]:
    """Its result is a whole kernel.py."""
    base = request.parent.source
    judged = {wire.digest(base), *(one.candidate.id for one in request.history)}
    lines = base.splitlines()
    span = "\n".join(lines[plan.anchor[0] - 1 : plan.anchor[1]]) if plan.anchor else ""
    return Question(
        role="coder",
        prompt=render("coder", request.harness, source=base, regions=regions(base), plan=plan, span=span),
        answer=CodeAnswer,
        read=lambda found: source_of(found, base, judged),
        about=wire.digest,
    )
