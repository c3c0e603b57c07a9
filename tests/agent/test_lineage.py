"""Descent in a history."""

from __future__ import annotations

from kmaint.agent.lineage import descent, root
from tests.agent.conftest import Judged

judged = Judged()


def test_descent_is_nearest_first_and_ends_at_the_edit_of_the_original() -> None:
    a = judged.passed("a")
    b = judged.wrong("b", parent=a.candidate.id)
    c = judged.passed("c", parent=b.candidate.id)
    history = [a, b, judged.passed("other"), c]
    assert [one.source for one in descent(c.candidate.id, history)] == ["c", "b", "a"]
    assert root(c.candidate.id, history) == a.candidate.id


def test_the_original_descends_from_nothing() -> None:
    assert descent(None, []) == []
    assert root(None, []) is None
