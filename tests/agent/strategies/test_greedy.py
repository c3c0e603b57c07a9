"""The greedy strategy."""

from __future__ import annotations

from kmaint.agent.strategies.greedy import choose
from tests.agent.strategies.conftest import judged, names, parents


def test_it_takes_the_best_so_far_and_nothing_else() -> None:
    history = [judged.passed("a", expected=1.2), judged.passed("b", expected=1.4), judged.wrong("c")]
    assert names(choose([], parents([]))) == ["original"]
    assert names(choose(history, parents(history))) == ["b"]


def test_what_is_slower_than_the_original_is_not_gone_on_from() -> None:
    history = [judged.passed("a", expected=0.8)]
    assert names(choose(history, parents(history))) == ["original"]
