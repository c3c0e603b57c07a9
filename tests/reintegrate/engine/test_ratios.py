"""What samples of engines visited in turns come to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmaint.records.engine import LEGS, Point, Sample
from reintegrate.engine.ratios import orders, result

DECODE = Point(phase="decode", batch=2, context=8, tokens=5)


def test_a_token_without_a_time_gives_no_ratio_of_them() -> None:
    samples = {leg: tuple(Sample(seconds=1.0, first_s=1.0, token_s=each) for each in (0.5, 0.0)) for leg in LEGS}
    assert result(DECODE, samples).token is None


@given(st.integers(1, 8), st.text(max_size=5))
def test_the_order_is_mirrored_and_can_be_repeated(rounds: int, seed: str) -> None:
    legs = (*LEGS, "another")
    found = list(orders(legs, rounds, seed=seed))
    assert found == list(orders(legs, rounds, seed=seed))
    assert all(sorted(order) == sorted(legs) for order in found)
    assert all(there == back[::-1] for there, back in zip(found[::2], found[1::2], strict=True))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.1, 10.0), min_size=2, max_size=6), st.floats(0.5, 2.0), st.floats(0.0, 0.5))
def test_a_drift_that_grows_evenly_within_a_round_cancels(rounds: list[float], ratio: float, drift: float) -> None:
    """Visits at 0, 1, 2, 3, 4, 5 of a round, in the order base, patched, again and back."""
    at = {"base": (0, 5), "patched": (1, 4), "again": (2, 3)}
    factor = {"base": 1.0, "patched": 1.0 / ratio, "again": 1.0}
    samples = {
        leg: tuple(
            Sample(seconds=length * factor[leg] * (1 + drift * visit), first_s=length, token_s=None)
            for length in rounds
            for visit in at[leg]
        )
        for leg in LEGS
    }
    found = result(DECODE, samples)
    assert found.throughput.ratio == pytest.approx(ratio)
    assert found.noise.ratio == pytest.approx(1.0)
