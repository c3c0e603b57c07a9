"""The provider that asks a model: planner, then coder; repair of what failed; a judge of what passed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kmaint.agent.dialogue import Dialogue
from kmaint.agent.models import Model, put
from kmaint.agent.proposal import Parent, Proposal, Request, Ruling
from kmaint.agent.roles import coder, judge, planner, repair
from kmaint.agent.roles.answers import JudgeAnswer
from kmaint.records.evaluation import Evaluation, Profile
from kmaint.records.harness import Harness


@dataclass(frozen=True, kw_only=True)
class Modelled:
    """One model in all four roles; what it was asked before a kill is read back and not asked again."""

    name: str
    repairs: ClassVar[bool] = True
    plans: ClassVar[bool] = True
    model: Model
    dialogue: Dialogue

    def propose(self, request: Request) -> Proposal | None:
        """The failed candidate, mended; else one plan and the source that it leads to."""
        if request.failed is not None:
            return put(repair(request, request.failed), self.model, self.dialogue)
        plan = put(planner(request, advice=self._advice(request.parent)), self.model, self.dialogue)
        if plan is None:
            return None
        source = put(coder(request, plan), self.model, self.dialogue)
        return None if source is None else Proposal(plan=plan, source=source)

    def rule(self, harness: Harness, baseline: Profile, passed: Evaluation) -> Ruling | None:
        """The judge's word; None where it had none of use."""
        return put(judge(harness, baseline, passed), self.model, self.dialogue)

    def _advice(self, parent: Parent) -> str:
        """What the judge saw in this parent, if it is to be refined."""
        for one in reversed(self.dialogue.exchanges):
            if one.role == "judge" and one.candidate == parent.id and not one.fault:
                said = JudgeAnswer.model_validate_json(one.answer)
                return said.reason if said.decision == "refine" else ""
        return ""
