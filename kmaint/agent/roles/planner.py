"""The planner sees the parent, its profile and what was tried, names one bottleneck and one edit, writes no code."""

from __future__ import annotations

from kmaint.agent.kinds import MEANS, ruled_out, why_not
from kmaint.agent.models import Question
from kmaint.agent.proposal import Request
from kmaint.agent.roles.answers import PlanAnswer
from kmaint.agent.roles.applying import plan_of
from kmaint.agent.roles.prompting import numbered, regions, render
from kmaint.agent.roles.shown import asking, attempts
from kmaint.records.evaluation import Plan


def planner(request: Request, *, advice: str = "") -> Question[PlanAnswer, Plan]:
    """`advice` is what a judge said of this parent."""
    parent = request.parent
    excluded = ruled_out(parent.profile)
    prompt = render(
        "planner",
        request.harness,
        parent=parent.id or "the original",
        source=numbered(parent.source),
        regions=regions(parent.source),
        ratio=None if parent.id is None else parent.ratio,
        workloads=request.harness.contract.timed,
        attempts=attempts(request.history),
        advice=advice,
        kinds=[f"{kind}: {means}" for kind, means in MEANS.items() if not why_not(kind, excluded)],
        **asking(request),
    )
    return Question(
        role="planner",
        prompt=prompt,
        answer=PlanAnswer,
        read=lambda found: plan_of(found, parent.source, excluded),
    )
