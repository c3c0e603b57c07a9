"""Any node of the whole history may be gone on from: one that failed often cools off, a neglected one comes up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kmaint.agent.lineage import descent
from kmaint.agent.proposal import Parent
from kmaint.agent.strategies.turn import Strategy, Turn
from kmaint.records.evaluation import Evaluation

CURIOSITY = 0.3
"""Weight of what is unknown of a node against how fast it is, both between 0 and about 1."""

TOLERATED, REST = 3, 6
"""After so many children in a row that gained nothing, a node is left alone for so many verdicts."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A parent and what became of its children: `failed` in a row since the last that gained, the last of them when."""

    parent: Parent
    children: int
    failed: int
    last: int

    def cools(self, now: int) -> bool:
        """Whether it is to be left alone for a while."""
        return self.failed > 0 and self.failed % TOLERATED == 0 and now - self.last <= REST

    def score(self, best: float, now: int) -> float:
        """Its share of the best logarithm of a ratio, and more the less it was tried."""
        fast = math.log(self.parent.ratio) / best if best > 0 else 0.0
        return fast + CURIOSITY * math.sqrt(math.log(1 + now) / (1 + self.children))


def choose(history: Sequence[Evaluation], parents: Sequence[Parent]) -> list[Turn]:
    """Every node by score; those that cool off come last, so that a run ends only where none has a proposal left."""
    nodes = list(_nodes(history, parents))
    best, now = max(math.log(parent.ratio) for parent in parents), len(history)
    ranked = sorted(nodes, key=lambda node: (node.cools(now), -node.score(best, now)))
    return [Turn(parent=node.parent) for node in ranked]


def _nodes(history: Sequence[Evaluation], parents: Sequence[Parent]) -> Iterable[Node]:
    """A repair counts for the node that what it repairs was made from."""
    ratios = {parent.id: parent.ratio for parent in parents}
    children: dict[str | None, list[tuple[int, bool]]] = {parent.id: [] for parent in parents}
    for number, one in enumerate(history, start=1):
        line = descent(one.candidate.parent, history)
        owner = next((candidate.id for candidate in line if candidate.id in ratios), None)
        children[owner].append((number, ratios.get(one.candidate.id, 0.0) > ratios[owner]))
    for parent in parents:
        made = children[parent.id]
        failed = next((n for n, (_, gained) in enumerate(reversed(made)) if gained), len(made))
        yield Node(parent=parent, children=len(made), failed=failed, last=made[-1][0] if made else 0)


TREE = Strategy(name="tree", says="any node, less where it failed often", choose=choose)
