"""The contract between what two engines say: exact, or alike up to a tie."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from reintegrate.engine.likeness import Said, alike, compare


def said(tokens: list[int], nats: float = -0.5, lead: float = 1.0) -> Said:
    return Said(tokens=tuple(tokens), nats=(nats,) * len(tokens), lead_nats=(lead,) * len(tokens))


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), min_size=1, max_size=4), st.booleans())
def test_an_engine_is_like_itself(sequences: list[list[int]], exact: bool) -> None:
    one = [said(tokens) for tokens in sequences]
    found = compare(one, one, exact=exact)
    assert found.holds
    assert found.identical == found.sequences == len(sequences)
    assert found.worst_nats == 0.0


def test_a_bit_exact_win_may_change_no_token() -> None:
    found = compare([said([1, 2, 3])], [said([1, 2, 4])], exact=True)
    assert (found.holds, found.reason, found.common_tokens) == (False, "sequence 0 differs from token 2 on", 2.0)


def test_rounding_may_decide_a_tie_and_nothing_else() -> None:
    assert compare([said([1, 2], lead=0.01)], [said([1, 5])], exact=False).holds
    found = compare([said([1, 2], lead=0.9)], [said([1, 5])], exact=False)
    assert found.reason == "sequence 0 differs at token 1, where the base's choice led by 0.9 nats"


def test_what_follows_a_difference_is_not_compared() -> None:
    base = Said(tokens=(1, 2, 3), nats=(-0.5, -0.5, -9.0), lead_nats=(1.0, 0.0, 1.0))
    other = Said(tokens=(1, 4, 7), nats=(-0.5, -0.5, -0.1), lead_nats=(1.0, 0.0, 1.0))
    found = compare([base], [other], exact=False)
    assert (found.holds, found.worst_nats, found.identical) == (True, 0.0, 0)


def test_probabilities_that_drift_are_a_difference_though_the_tokens_agree() -> None:
    found = compare([said([1, 2])], [said([1, 2], nats=-0.7)], exact=False)
    assert found.reason == "log-probabilities lie 0.2 nats apart"


def test_a_sequence_that_ends_early_is_a_difference() -> None:
    found = compare([said([1, 2, 3])], [said([1, 2])], exact=False)
    assert found.reason == "sequence 0 has 2 tokens instead of 3"


def test_what_is_not_a_number_is_like_nothing() -> None:
    base, broken = said([1, 2]), said([1, 2], nats=math.nan)
    assert compare([base], [broken], exact=True).reason == "a log-probability is not a number"
    assert compare([base], [broken], exact=False).worst_nats == 0.0
    assert not compare([said([1, 2], lead=math.nan)], [said([1, 5])], exact=False).holds


def test_the_very_same_is_asked_only_where_the_base_says_the_very_same_twice() -> None:
    tied, other = [said([1, 2], lead=0.01)], [said([1, 5])]
    steady = alike({"base": tied, "patched": other, "again": tied}, exact=True)
    assert (steady.holds, steady.contract) == (False, "every token is the same, log-probabilities within 0.05 nats")
    unsteady = alike({"base": tied, "patched": other, "again": [said([1, 7])]}, exact=True)
    assert (unsteady.holds, unsteady.contract) == (
        True,
        "two engines of the base differ, so log-probabilities within 0.05 nats up to the first difference, and that a "
        "tie within as much",
    )
