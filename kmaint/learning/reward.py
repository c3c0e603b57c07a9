"""The gate's verdict as a number to learn from, and the parts that it is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kmaint.learning.outcome import outcome_of
from kmaint.records.evaluation import Evaluation, speedup

BUILT, RIGHT, LOSS, GAIN = 0.1, 0.4, -0.3, 3.0
"""What it is worth to build and to be right, and the bounds of what speed adds: slow and right stays above wrong."""


@dataclass(frozen=True, kw_only=True)
class Reward:
    """`built`, `right` and `honest` are 0 or 1. `honest` is 1 unless a trick was found; then the other parts are moot.

    `speed` is log2 of the speedup by the end of its interval nearer to 1: of the lower end where the gate accepts the
    candidate, of the upper end where it is slower beyond doubt, and 0 otherwise, so that noise is worth nothing.
    """

    built: float
    right: float
    honest: float
    speed: float

    @property
    def total(self) -> float:
        """-1 for a trick, else 0.1 built + 0.4 right + speed."""
        if not self.honest:
            return -1.0
        return BUILT * self.built + RIGHT * self.right + self.speed


def reward_of(evaluation: Evaluation) -> Reward:
    """What the attempt was worth, with the original as zero speed."""
    outcome = outcome_of(evaluation)
    return Reward(
        built=float(outcome.built),
        right=float(outcome.right),
        honest=float(evaluation.verdict.kind != "dishonest"),
        speed=_speed(evaluation),
    )


def _speed(evaluation: Evaluation) -> float:
    found = speedup(evaluation)
    if found is None:
        return 0.0
    if outcome_of(evaluation).accepted:
        return min(math.log2(found.low), GAIN)
    return max(math.log2(found.high), LOSS) if found.high < 1.0 else 0.0
