"""Repair sees the failed source, what it was for and why it was turned down; it mends it and changes nothing else."""

from __future__ import annotations

from dataclasses import replace

from kmaint import wire
from kmaint.agent.models import Question
from kmaint.agent.proposal import Failure, Proposal, Request
from kmaint.agent.roles.answers import RepairAnswer
from kmaint.agent.roles.applying import source_of
from kmaint.agent.roles.prompting import regions, render
from kmaint.agent.roles.shown import log_tail, reason_of
from kmaint.records.evaluation import Passed, Rejection


def repair(request: Request, failed: Failure) -> Question[RepairAnswer, Proposal]:
    """Its result is the failed candidate's plan with another source."""
    base, plan = failed.candidate.source, failed.candidate.plan
    judged = {one.candidate.id for one in request.history}
    verdict = verdict_on(request, failed)

    def read(found: RepairAnswer) -> Proposal:
        mended = replace(plan, why=found.cause, anchor=None, expected=None)
        return Proposal(plan=mended, source=source_of(found, base, judged))

    return Question(
        role="repair",
        prompt=render(
            "repair",
            request.harness,
            source=base,
            regions=regions(base),
            plan=plan,
            reason=reason_of(verdict),
            log=log_tail(verdict),
        ),
        answer=RepairAnswer,
        read=read,
        about=lambda proposal: wire.digest(proposal.source),
    )


def verdict_on(request: Request, failed: Failure) -> Rejection:
    """The gate's word on what failed, which is in the history of its repair turn."""
    found = next(one.verdict for one in reversed(request.history) if one.candidate.id == failed.candidate.id)
    assert not isinstance(found, Passed)
    return found
