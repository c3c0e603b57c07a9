from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kmaint.learning.preferring import is_better, preferences
from kmaint.records.evaluation import Evaluation, Passed
from tests.learning.conftest import FAILURES, failed, timed, untimed


@st.composite
def siblings(draw: st.DrawFn) -> list[Evaluation]:
    """Attempts at two parents, of every ending."""
    found = []
    for number in range(draw(st.integers(min_value=0, max_value=7))):
        about: dict[str, Any] = {"name": f"c{number}", "parent": draw(st.sampled_from([None, "p"]))}
        if kind := draw(st.sampled_from([*FAILURES, "", ""])):
            found.append(failed(kind, **about))
        else:
            low, step, more = (draw(st.floats(min_value=0.01, max_value=0.6)) for _ in range(3))
            win = low + 0.5 > 1.0 and draw(st.booleans())
            found.append(timed(0.5 + low, 0.5 + low + step, 0.5 + low + step + more, win=win, **about))
    return found


@given(siblings())
def test_no_pair_lies_within_what_was_measured(found: list[Evaluation]) -> None:
    pairs = list(preferences(found))
    for pair in pairs:
        chosen, rejected = pair.chosen.verdict, pair.rejected.verdict
        assert pair.chosen.candidate.parent == pair.rejected.candidate.parent
        assert isinstance(chosen, Passed)
        assert chosen.timing is not None
        if isinstance(rejected, Passed):
            assert rejected.timing is not None
            assert chosen.timing.speedup.low > rejected.timing.speedup.high
            assert chosen.timing.speedup.ratio > rejected.timing.speedup.ratio * 1.01
        assert pair.why_chosen
        assert pair.why_rejected
    rejected_ids = [pair.rejected.candidate.id for pair in pairs]
    assert len(set(rejected_ids)) == len(rejected_ids)


@given(siblings())
def test_nobody_is_preferred_to_who_is_preferred_to_them(found: list[Evaluation]) -> None:
    for one in found:
        assert not is_better(one, one)
        assert not any(is_better(one, other) and is_better(other, one) for other in found)


def test_overlapping_intervals_make_no_pair() -> None:
    assert list(preferences([timed(1.1, 1.2, 1.3, win=True), timed(1.25, 1.4, 1.5, win=True, name="b")])) == []


def test_less_than_the_noise_floor_apart_makes_no_pair() -> None:
    near, far = timed(1.2, 1.2, 1.2, win=True, noise=0.05), timed(1.25, 1.25, 1.25, win=True, name="b", noise=0.05)
    assert not is_better(far, near)
    assert is_better(timed(1.27, 1.27, 1.27, win=True, name="b", noise=0.05), near)


def test_other_parents_make_no_pair() -> None:
    assert list(preferences([timed(2.0, 2.0, 2.0, win=True), failed("wrong", name="b", parent="a")])) == []


def test_a_trick_is_turned_down_for_what_it_is() -> None:
    (pair,) = preferences([failed("dishonest"), timed(1.4, 1.5, 1.6, win=True, name="b")])
    assert (pair.chosen.candidate.id, pair.rejected.candidate.id) == ("b", "a")
    assert pair.why_rejected == "dishonest: gives an earlier result"
    assert pair.why_chosen == "right (bit-exact), 1.500 times as fast as the original (1.400 to 1.600)"


def test_right_but_slower_than_the_original_is_preferred_to_nothing() -> None:
    assert not is_better(timed(0.7, 0.8, 0.9, win=False), failed("wrong"))
    assert is_better(untimed(), failed("wrong"))
    assert not is_better(untimed(), timed(0.7, 0.8, 0.9, win=False))


def test_what_the_gate_does_not_accept_never_beats_what_it_accepts() -> None:
    assert not is_better(timed(2.0, 2.0, 2.0, win=False), timed(1.2, 1.2, 1.2, win=True))


def test_nobody_knows_whether_what_looks_slower_is_right() -> None:
    left = failed("slower")
    assert not is_better(timed(0.99, 1.0, 1.01, win=False), left)
    assert is_better(timed(1.4, 1.5, 1.6, win=True), left)
    assert not is_better(left, failed("wrong"))
