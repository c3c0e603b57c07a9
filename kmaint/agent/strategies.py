"""Where to look next: from which parents to work, most promising first.

A strategy is a function of the history. The chain takes the first of its parents for which the provider has a proposal.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from kmaint.agent.proposal import Parent
from kmaint.errors import UsageError
from kmaint.records.evaluation import Candidate, Evaluation

Strategy = Callable[[Sequence[Evaluation], Sequence[Parent]], list[Parent]]
"""`choose(history, parents)`: the parents hold the original and every candidate that passed and is ahead of it."""

LINES = 2


def greedy(_history: Sequence[Evaluation], parents: Sequence[Parent]) -> list[Parent]:
    """Always from the best so far; the end is where that one has no improvement left."""
    return [max(parents, key=lambda parent: parent.ratio)]


def lines(history: Sequence[Evaluation], parents: Sequence[Parent]) -> list[Parent]:
    """Two lines begun with different edits of the original, in turns: equal-budget studies favour depth over width.

    A turn goes to the line that has had fewest; opening the second line counts as one until it is there.
    """
    candidates = {one.candidate.id: one.candidate for one in history}
    heads: dict[str | None, Parent] = {}
    for parent in sorted(parents, key=lambda parent: parent.ratio):
        heads[_root(parent.id, candidates)] = parent
    original = heads.pop(None)
    kept = dict(sorted(heads.items(), key=lambda item: -item[1].ratio)[:LINES])
    spent = Counter(_root(one, candidates) for one in candidates)
    if len(kept) < LINES:
        spent[None] = sum(count for root, count in spent.items() if root not in kept)
        kept[None] = original
    return [head for _, head in sorted(kept.items(), key=lambda item: (spent[item[0]], -item[1].ratio))]


def _root(candidate: str | None, candidates: Mapping[str, Candidate]) -> str | None:
    """The edit of the original that a candidate descends from; None for the original itself."""
    while candidate is not None and (parent := candidates[candidate].parent) is not None:
        candidate = parent
    return candidate


STRATEGIES: dict[str, Strategy] = {"lines": lines, "greedy": greedy}


def choose_strategy(name: str) -> Strategy:
    """The strategy of that name. UsageError where there is none."""
    if name not in STRATEGIES:
        near = difflib.get_close_matches(name, STRATEGIES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(STRATEGIES)}"
        raise UsageError(f"no strategy {name!r}", hint)
    return STRATEGIES[name]
