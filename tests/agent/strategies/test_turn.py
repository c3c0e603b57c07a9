"""What every strategy keeps to, whatever the history."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmaint import wire
from kmaint.agent.strategies import STRATEGIES, Strategy
from kmaint.agent.strategies.turn import drawn
from kmaint.records.evaluation import Evaluation
from tests.agent.strategies.conftest import judged, parents

EDITS = ("num_warps", "tile_programs", "cache_hints", "exp2_for_exp", "in a model's words")


@st.composite
def histories(draw: st.DrawFn) -> list[Evaluation]:
    """Up to thirty verdicts: edits of the original, of what passed, and repairs of what failed."""
    history: list[Evaluation] = []
    for number in range(draw(st.integers(0, 30))):
        parent = draw(st.sampled_from([None, *(one.candidate.id for one in history)]))
        edit = draw(st.sampled_from(EDITS))
        if draw(st.booleans()):
            ratio = draw(st.floats(0.5, 4.0))
            history.append(judged.passed(f"candidate {number}", parent=parent, edit=edit, expected=ratio))
        else:
            history.append(judged.wrong(f"candidate {number}", parent=parent, edit=edit))
    return history


each = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=lambda one: one.name)


@each
@settings(max_examples=25)
@given(history=histories(), shut=st.sets(st.integers(0, 29)))
def test_turns_are_on_given_parents_and_there_is_always_one(
    strategy: Strategy, history: list[Evaluation], shut: set[int]
) -> None:
    """Whichever of those that passed are not to be gone on from."""
    closed = {f"candidate {number}" for number in shut}
    given_parents = [parent for parent in parents(history) if parent.source not in closed]
    turns = strategy.choose(history, given_parents)
    assert turns
    assert all(turn.parent in given_parents for turn in turns)
    assert all(turn.partner in given_parents and turn.partner != turn.parent for turn in turns if turn.partner)
    assert all(turn.kinds is None or turn.kinds for turn in turns)


@each
@settings(max_examples=25)
@given(history=histories())
def test_turns_follow_from_the_history_alone(strategy: Strategy, history: list[Evaluation]) -> None:
    """As it was kept and read back, after other histories were asked about, and without a change to it."""
    before = copy.deepcopy(history)
    turns = strategy.choose(history, parents(history))
    for end in range(len(history)):
        strategy.choose(history[:end], parents(history[:end]))
    kept = wire.load(list[Evaluation], wire.dump(history))
    assert strategy.choose(kept, parents(kept)) == turns
    assert history == before


def searched(strategy: Strategy, history: list[Evaluation], until: int) -> list[Evaluation]:
    """Goes on with a history as the chain does, on verdicts that only the turn decides."""
    history = list(history)
    while len(history) < until:
        turn = strategy.choose(history, parents(history))[0]
        partner, kinds = turn.partner.source if turn.partner else "", "".join(sorted(turn.kinds or ()))
        source = f"{turn.parent.source[:40]} {partner[:10]} {kinds} {len(history)}"
        chance = int(wire.digest(source), 16) % 100
        ratio = turn.parent.ratio * (0.9 + chance / 400)
        made = judged.wrong if chance < 25 else judged.passed
        more = {} if chance < 25 else {"expected": ratio}
        history.append(made(source, parent=turn.parent.id, edit=kinds or "num_warps", **more))
    return history


@each
@settings(max_examples=8)
@given(killed=st.integers(0, 20))
def test_a_killed_search_goes_on_alike(strategy: Strategy, killed: int) -> None:
    whole = searched(strategy, [], 20)
    assert whole[:killed] == searched(strategy, [], killed)
    assert searched(strategy, whole[:killed], 20) == whole


@given(history=histories(), among=st.integers(1, 9))
def test_chance_is_a_number_below_the_given_one(history: list[Evaluation], among: int) -> None:
    assert 0 <= drawn(history, among) < among
    assert drawn(history, among) == drawn(list(history), among)
