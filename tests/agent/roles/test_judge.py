"""What a judge sees: two profiles and the numbers, and no source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kmaint.agent.proposal import Ruling
from kmaint.agent.roles import judge
from kmaint.agent.roles.answers import JudgeAnswer
from kmaint.records.harness import Harness
from tests.agent.conftest import PROFILE, Judged

PASSED = Judged().passed("def merge(): ...", edit="one reciprocal", measured=(1.25, 1.2))


def test_it_sees_profiles_and_numbers_only(harness: Harness, hold: Callable[[str, str], None]) -> None:
    question = judge(harness, replace(PROFILE, bottleneck="memory", roofline_fraction=0.5), PASSED)
    hold("judge", question.prompt)
    assert "def merge" not in question.prompt


def test_its_word_is_about_the_candidate(harness: Harness) -> None:
    question = judge(harness, PROFILE, PASSED)
    ruling = question.read(JudgeAnswer(decision="leave", reason="at the roofline"))
    assert ruling == Ruling(decision="leave", reason="at the roofline")
    assert question.about(ruling) == PASSED.candidate.id
