"""The tree: any node may be gone on from, and one that failed often rests."""

from __future__ import annotations

from kmaint.agent.strategies.tree import REST, TOLERATED, choose
from tests.agent.strategies.conftest import judged, names, parents


def test_a_node_that_was_passed_over_comes_up_again() -> None:
    a, b = judged.passed("a", expected=1.5), judged.passed("b", expected=1.45)
    of_a = [judged.passed(f"a{n}", parent=a.candidate.id, expected=1.4) for n in range(2)]
    history = [a, b, *of_a]
    assert names(choose([a, b], parents([a, b])))[:2] == ["a", "b"]
    assert names(choose(history, parents(history)))[0] == "b"


def test_a_slow_node_may_be_gone_on_from_but_comes_after_fast_ones_that_were_tried_as_often() -> None:
    history = [judged.passed("fast", expected=1.5), judged.passed("slow", expected=0.9)]
    assert names(choose(history, parents(history))) == ["fast", "original", "slow"] or names(
        choose(history, parents(history))
    ) == ["fast", "slow", "original"]


def test_a_node_with_many_failed_children_cools_off_and_comes_back() -> None:
    a = judged.passed("a", expected=2.0)
    failed = [judged.wrong(f"a{n}", parent=a.candidate.id) for n in range(TOLERATED)]
    assert names(choose([a], parents([a])))[0] == "a"
    hot = [a, *failed]
    assert names(choose(hot, parents(hot))) == ["original", "a"]
    rested = [*hot, *(judged.wrong(f"o{n}") for n in range(REST + 1))]
    assert names(choose(rested, parents(rested)))[0] == "a"


def test_a_gain_ends_a_row_of_failures() -> None:
    a = judged.passed("a", expected=2.0)
    failed = [judged.wrong(f"a{n}", parent=a.candidate.id) for n in range(TOLERATED - 1)]
    gained = judged.passed("better", parent=a.candidate.id, expected=2.1)
    again = judged.wrong("again", parent=a.candidate.id)
    history = [a, *failed, gained, again]
    assert names(choose(history, parents(history)))[0] == "better"
    assert names(choose(history, parents(history)))[1] == "a"


def test_a_repair_counts_for_what_the_repaired_was_made_from() -> None:
    a = judged.passed("a", expected=2.0)
    wrong = judged.wrong("a1", parent=a.candidate.id)
    repairs = [judged.wrong("a1.1", parent=wrong.candidate.id)]
    repairs.append(judged.wrong("a1.2", parent=repairs[0].candidate.id))
    history = [a, wrong, *repairs]
    assert names(choose(history, parents(history))) == ["original", "a"]
