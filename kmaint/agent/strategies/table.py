"""Strategies by name: a new one is a line in the table."""

from __future__ import annotations

import difflib

from kmaint.agent.strategies.bandit import BANDIT
from kmaint.agent.strategies.beam import BEAM
from kmaint.agent.strategies.greedy import GREEDY
from kmaint.agent.strategies.islands import ISLANDS
from kmaint.agent.strategies.lines import LINES
from kmaint.agent.strategies.tree import TREE
from kmaint.agent.strategies.turn import Strategy
from kmaint.errors import UsageError

STRATEGIES: dict[str, Strategy] = {one.name: one for one in (GREEDY, LINES, BEAM, TREE, ISLANDS, BANDIT)}


def choose_strategy(name: str) -> Strategy:
    """The strategy of that name. UsageError where there is none."""
    if name not in STRATEGIES:
        near = difflib.get_close_matches(name, STRATEGIES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(STRATEGIES)}"
        raise UsageError(f"no strategy {name!r}", hint)
    return STRATEGIES[name]
