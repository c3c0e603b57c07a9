from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.evaluate.workers.blocks import mirrored, steady


class Drifting:
    """Times legs that are named by their true length, on a machine that slows by a fixed step from run to run."""

    def __init__(self, step: float) -> None:
        self.step, self.now = step, 0.0

    def __call__(self, legs: Sequence[float]) -> list[float]:
        found = []
        for leg in legs:
            found.append(leg + self.now)
            self.now += self.step
        return found


@given(st.floats(1.0, 100.0), st.floats(1.0, 100.0), st.floats(0.0, 1.0), st.integers())
def test_a_linear_drift_hits_both_legs_alike(a: float, b: float, step: float, seed: int) -> None:
    left, right = mirrored(Drifting(step), a, b, random.Random(seed))  # type: ignore[arg-type]
    assert left - right == pytest.approx(a - b, abs=1e-9)


def test_a_block_is_steady_until_the_clock_moves() -> None:
    assert steady(1980, 1980)
    assert steady(1980, 1935)
    assert not steady(1980, 1755)
    assert steady(None, 1980)
    assert steady(1980, None)
