"""The beam: rounds over the best few parents."""

from __future__ import annotations

from kmaint.agent.strategies.beam import BEAM, IDEAS, choose
from tests.agent.strategies.conftest import judged, names, parents


def test_a_round_keeps_the_parents_it_began_with() -> None:
    a, b = judged.passed("a", expected=1.2), judged.passed("b", expected=1.4)
    c = judged.passed("c", parent=b.candidate.id, expected=1.6)
    d = judged.wrong("d", parent=a.candidate.id)
    steps = [[], [a], [a, b], [a, b, c], [a, b, c, d]]
    assert [names(choose(history, parents(history))) for history in steps] == [
        ["original"],
        ["original"],
        ["b", "a"],
        ["b", "a"],
        ["c", "b"],
    ]


def test_several_ideas_are_asked_for_on_each_turn() -> None:
    assert BEAM.ideas == IDEAS
    assert IDEAS > 1
