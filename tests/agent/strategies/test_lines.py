"""The strategy of two lines."""

from __future__ import annotations

from kmaint.agent.strategies.lines import choose
from tests.agent.strategies.conftest import judged, names, parents


def test_it_opens_a_second_line_then_deepens_the_two_in_turns() -> None:
    a, b = judged.passed("a", expected=1.2), judged.passed("b", expected=1.1)
    a2 = judged.passed("a2", parent=a.candidate.id, expected=1.3)
    b2 = judged.wrong("b2", parent=b.candidate.id)
    steps = [[], [a], [a, b], [a, b, a2], [a, b, a2, b2]]
    assert [names(choose(history, parents(history))) for history in steps] == [
        ["original"],
        ["original", "a"],
        ["a", "b"],
        ["b", "a2"],
        ["a2", "b"],
    ]


def test_a_second_line_that_will_not_open_does_not_hold_up_the_first() -> None:
    a, failed = judged.passed("a", expected=1.2), judged.wrong("b")
    assert names(choose([a, failed], parents([a, failed]))) == ["a", "original"]


def test_only_the_two_best_lines_are_followed() -> None:
    history = [judged.passed(name, expected=ratio) for name, ratio in (("a", 1.2), ("b", 1.1), ("c", 1.5))]
    assert names(choose(history, parents(history))) == ["c", "a"]


def test_what_is_slower_than_the_original_begins_no_line() -> None:
    history = [judged.passed("a", expected=0.9), judged.passed("b", expected=1.1)]
    assert names(choose(history, parents(history))) == ["b", "original"]
