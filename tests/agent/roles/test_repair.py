"""What a repair turn sees: the failed source, what it was for and why it failed."""

from __future__ import annotations

from collections.abc import Callable

from kmaint import wire
from kmaint.agent.proposal import Request
from kmaint.agent.roles import repair
from kmaint.agent.roles.answers import Change, RepairAnswer


def test_it_sees_the_failed_source_the_reason_and_the_log(
    repair_request: Request, hold: Callable[[str, str], None]
) -> None:
    assert repair_request.failed is not None
    question = repair(repair_request, repair_request.failed)
    hold("repair", question.prompt)
    for unseen in ("roofline", "sixteen warps", "T64"):
        assert unseen not in question.prompt


def test_its_result_is_the_same_edit_with_the_cause_and_another_source(repair_request: Request) -> None:
    assert repair_request.failed is not None
    question = repair(repair_request, repair_request.failed)
    change = Change(old="p_scale = out_se", new="p_scale = tl.exp(p_lse) * (1.0 / out_se)")
    proposal = question.read(RepairAnswer(cause="the factor was lost", changes=(change,)))
    assert (proposal.plan.edit, proposal.plan.why) == ("hoist the division", "the factor was lost")
    assert proposal.source == repair_request.failed.candidate.source.replace(change.old, change.new)
    assert question.about(proposal) == wire.digest(proposal.source)
