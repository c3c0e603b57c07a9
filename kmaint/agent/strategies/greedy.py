"""Always from the best so far; the end is where that one has no improvement left."""

from __future__ import annotations

from collections.abc import Sequence

from kmaint.agent.proposal import Parent
from kmaint.agent.strategies.turn import Strategy, Turn, by_ratio
from kmaint.records.evaluation import Evaluation


def choose(_history: Sequence[Evaluation], parents: Sequence[Parent]) -> list[Turn]:
    """One turn, on the fastest."""
    return [Turn(parent=by_ratio(parents)[0])]


GREEDY = Strategy(name="greedy", says="always from the best so far", choose=choose)
