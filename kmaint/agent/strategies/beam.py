"""The best few parents by several ideas each, in rounds: screening prunes the ideas before the device sees them."""

from __future__ import annotations

from collections.abc import Sequence

from kmaint.agent.proposal import Parent
from kmaint.agent.strategies.turn import Strategy, Turn, by_ratio
from kmaint.records.evaluation import Evaluation

WIDTH = 2
"""Parents of a round, and verdicts in it: so many of its ideas go on."""

IDEAS = 4
"""For each parent."""


def choose(history: Sequence[Evaluation], parents: Sequence[Parent]) -> list[Turn]:
    """The best parents as they stood when the round began: what it finds is gone on from in the next."""
    began = len(history) // WIDTH * WIDTH
    known = {None, *(one.candidate.id for one in history[:began])}
    return [Turn(parent=parent) for parent in by_ratio([one for one in parents if one.id in known])[:WIDTH]]


BEAM = Strategy(
    name="beam", says=f"the best {WIDTH} by {IDEAS} ideas each, pruned by screening", choose=choose, ideas=IDEAS
)
