"""Strategies: which parents a history leads to, most promising first."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kmaint.agent.proposal import Parent
from kmaint.agent.strategies import choose_strategy, greedy, lines
from kmaint.errors import UsageError
from kmaint.records.evaluation import Evaluation, Passed
from tests.agent.conftest import PROFILE, Judged

judged = Judged()


def parents(history: Sequence[Evaluation]) -> list[Parent]:
    """The original and what passed, as the chain gives them."""
    found = [Parent(id=None, source="original", profile=PROFILE, ratio=1.0)]
    for one in history:
        if isinstance(one.verdict, Passed):
            ratio = one.candidate.plan.expected or 0.0
            found.append(Parent(id=one.candidate.id, source=one.candidate.source, profile=PROFILE, ratio=ratio))
    return found


def names(chosen: Sequence[Parent]) -> list[str]:
    return [parent.source for parent in chosen]


def test_greedy_takes_the_best_so_far_and_nothing_else() -> None:
    history = [judged.passed("a", expected=1.2), judged.passed("b", expected=1.4), judged.wrong("c")]
    assert names(greedy([], parents([]))) == ["original"]
    assert names(greedy(history, parents(history))) == ["b"]


def test_lines_opens_a_second_line_then_deepens_the_two_in_turns() -> None:
    a, b = judged.passed("a", expected=1.2), judged.passed("b", expected=1.1)
    a2 = judged.passed("a2", parent=a.candidate.id, expected=1.3)
    b2 = judged.wrong("b2", parent=b.candidate.id)
    steps = [[], [a], [a, b], [a, b, a2], [a, b, a2, b2]]
    assert [names(lines(history, parents(history))) for history in steps] == [
        ["original"],
        ["original", "a"],
        ["a", "b"],
        ["b", "a2"],
        ["a2", "b"],
    ]


def test_a_second_line_that_will_not_open_does_not_hold_up_the_first() -> None:
    a, failed = judged.passed("a", expected=1.2), judged.wrong("b")
    assert names(lines([a, failed], parents([a, failed]))) == ["a", "original"]


def test_only_the_two_best_lines_are_followed() -> None:
    history = [judged.passed(name, expected=ratio) for name, ratio in (("a", 1.2), ("b", 1.1), ("c", 1.5))]
    assert names(lines(history, parents(history))) == ["c", "a"]


def test_an_unknown_strategy_is_answered_with_a_guess() -> None:
    assert choose_strategy("lines") is lines
    with pytest.raises(UsageError) as error:
        choose_strategy("greddy")
    assert str(error.value) == "no strategy 'greddy'; did you mean 'greedy'?"
