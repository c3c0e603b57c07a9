"""Islands: populations that take turns, cross their elites, and meet late."""

from __future__ import annotations

from kmaint.agent.strategies.islands import CROSSING, MIGRATION, MIGRATION_FROM, POPULATIONS, choose
from kmaint.records.evaluation import Evaluation
from tests.agent.strategies.conftest import judged, names, parents


def test_each_island_is_opened_by_an_edit_of_the_original_of_its_own() -> None:
    history: list[Evaluation] = []
    for name in "abc"[:POPULATIONS]:
        assert names(choose(history, parents(history)))[0] == "original"
        history.append(judged.passed(name, expected=1.1))
    assert names(choose(history, parents(history)))[0] == "a"


def test_the_island_with_fewest_verdicts_has_the_turn() -> None:
    roots = [judged.passed(name, expected=1.1) for name in "abc"]
    history = [*roots, judged.wrong("a1", parent=roots[0].candidate.id)]
    assert names(choose(history, parents(history)))[0] == "b"


def test_elites_of_one_island_are_crossed_now_and_then_and_no_other_is_asked_early() -> None:
    roots = [judged.passed(name, expected=1.1) for name in "abc"]
    deeper = [judged.passed(f"{one.candidate.source}1", parent=one.candidate.id, expected=1.05) for one in roots]
    history = [*roots, *deeper]
    assert len(history) == POPULATIONS * (CROSSING - 1)
    assert names(choose(history, parents(history)))[0] == "a x a1"


def test_an_elite_is_not_crossed_with_what_it_was_made_from() -> None:
    roots = [judged.passed(name, expected=1.1) for name in "abc"]
    deeper = [judged.passed(f"{one.candidate.source}1", parent=one.candidate.id, expected=1.2) for one in roots]
    history = [*roots, *deeper]
    assert not any(turn.partner for turn in choose(history, parents(history)))


def test_migration_is_late_and_rare() -> None:
    roots = [judged.passed(name, expected=ratio) for name, ratio in (("a", 1.3), ("b", 1.2), ("c", 1.1))]
    history: list[Evaluation] = list(roots)
    met = []
    while len(history) < POPULATIONS * (MIGRATION_FROM + MIGRATION):
        crossings = [turn for turn in choose(history, parents(history)) if turn.partner]
        pairs = {(turn.parent.source[0], turn.partner.source[0]) for turn in crossings if turn.partner}
        met += [(len(history) // POPULATIONS, *pair) for pair in sorted(pairs) if pair[0] != pair[1]]
        root = roots[len(history) % 3]
        history.append(judged.wrong(f"{root.candidate.source}{len(history)}", parent=root.candidate.id))
    assert met == [(8, "a", "b"), (8, "a", "c"), (8, "b", "a"), (8, "b", "c"), (8, "c", "a"), (8, "c", "b")]
