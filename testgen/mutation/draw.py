"""Cases that the suite did not choose, and larger: what a survivor is held against before it is called unchanged."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

from kmaint.expression import evaluate, keeps
from kmaint.records.workload import Axis, Binding, Contract
from testgen import axes
from testgen.suite import layouts

TRIES_EACH = 50
"""Draws for each case that is wanted: a contract of several constraints turns most away."""

MOST_ROWS, MOST = 4 * axes.ROWS, 4 * axes.SMALL
"""Four times what the suite takes under the interpreter: rows in all, and along any other axis."""

MOST_CHOSEN = 4096
"""Of an axis that has choices: its small ones where there are any."""


def drawn(contract: Contract, count: int, seed: int) -> list[dict[str, Any]]:
    """Up to `count` cases as JSON, the small ones first, fewer where the contract admits few. Layouts come up in turn.

    The profile of values is left to whoever builds them: the runtime of the harness knows which there are.
    """
    chance, leading, found = random.Random(seed), axes.leading_axis(contract), list[dict[str, Any]]()  # noqa: S311
    kinds = itertools.cycle(layouts(contract) or ["contiguous"])
    for _ in range(count * TRIES_EACH):
        bound = {axis.name: _choice(axis, chance) for axis in contract.axes}
        if leading is not None:
            each = int(evaluate_rows(contract, leading, bound))
            limit = max(1, MOST_ROWS // max(1, each))
            bound[leading] = min(int(str(bound[leading])), limit)
        if keeps(contract.constraints, bound):
            found.append({**bound, "layout": next(kinds), "seed": chance.randrange(2**16, 2**31)})
        if len(found) == count:
            break
    return sorted(found, key=_size)


def _size(case: dict[str, Any]) -> int:
    """Small ones first: there may be no time for all."""
    numbers = (value for name, value in case.items() if name != "seed" and type(value) is int)
    return math.prod(max(1, number) for number in numbers)


def evaluate_rows(contract: Contract, leading: str, bound: dict[str, Binding]) -> Binding:
    """How many rows each step along the leading axis adds to its largest tensor."""
    shapes = [a.shape[1:-1] for a in contract.arguments if a.kind == "tensor" and a.shape[:1] == (leading,)]
    most = max(shapes, key=len, default=())
    return evaluate(" * ".join(f"({size})" for size in most), bound) if most else 1


def _choice(axis: Axis, chance: random.Random) -> Binding:
    """A choice; of a range a size worth trying or, as often, any up to the limit."""
    if axis.choices:
        some = [one for one in axes.choices(axis) if not isinstance(one, int) or one <= MOST_CHOSEN]
        return chance.choice(some or axes.choices(axis)[:1])
    high = max(axis.low, min(axis.high, MOST))
    sizes = [size for size in axes.sizes(axis) if size <= high] or [axis.low]
    return chance.choice(sizes) if chance.random() < 0.5 else chance.randint(axis.low, high)
