"""The judge sees the profile and the numbers of a candidate that passed, not its source, and says how to go on."""

from __future__ import annotations

from kmaint.agent.models import Question
from kmaint.agent.proposal import Ruling
from kmaint.agent.roles.answers import JudgeAnswer
from kmaint.agent.roles.prompting import render
from kmaint.agent.roles.shown import outcome, profile_lines
from kmaint.records.evaluation import Evaluation, Passed, Profile
from kmaint.records.harness import Harness


def judge(harness: Harness, baseline: Profile, evaluation: Evaluation) -> Question[JudgeAnswer, Ruling]:
    """Of a candidate that passed; `baseline` is the original's own profile."""
    candidate, verdict = evaluation.candidate, evaluation.verdict
    assert isinstance(verdict, Passed)
    return Question(
        role="judge",
        prompt=render(
            "judge",
            harness,
            plan=candidate.plan,
            outcome=outcome(evaluation),
            numerics=verdict.numerics.kind,
            profile=profile_lines(verdict.profile),
            baseline=profile_lines(baseline),
        ),
        answer=JudgeAnswer,
        read=lambda found: Ruling(decision=found.decision, reason=found.reason),
        about=lambda _ruling: candidate.id,
    )
