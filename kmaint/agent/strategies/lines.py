"""Two lines begun with different edits of the original, in turns: equal-budget studies favour depth over width."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kmaint.agent.lineage import root
from kmaint.agent.proposal import Parent
from kmaint.agent.strategies.turn import Strategy, Turn
from kmaint.records.evaluation import Evaluation

WIDTH = 2


def choose(history: Sequence[Evaluation], parents: Sequence[Parent]) -> list[Turn]:
    """A turn goes to the line that has had fewest; opening the second line counts as one until it is there."""
    ahead = [parent for parent in parents if parent.id is None or parent.ratio > 1.0]
    heads: dict[str | None, Parent] = {}
    for parent in sorted(ahead, key=lambda parent: parent.ratio):
        heads[root(parent.id, history)] = parent
    original = heads.pop(None)
    kept = dict(sorted(heads.items(), key=lambda item: -item[1].ratio)[:WIDTH])
    spent = Counter(root(one.candidate.id, history) for one in history)
    if len(kept) < WIDTH:
        spent[None] = sum(count for line, count in spent.items() if line not in kept)
        kept[None] = original
    fewest = sorted(kept.items(), key=lambda item: (spent[item[0]], -item[1].ratio))
    return [Turn(parent=head) for _, head in fewest]


LINES = Strategy(name="lines", says="two lines of edits, in turns", choose=choose)
