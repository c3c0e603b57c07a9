"""Where a winner may run: what was measured, and nothing beyond it.

The guard is a box over the contract's axes: from the smallest to the largest size that won, the dtypes that won, the
alignment that all of them share, on the architecture that they were measured on. Lengths that lie on the device have no
side in it: a launcher cannot see them, and has to do for all up to what it is told they may be.
"""

from __future__ import annotations

import heapq
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kmaint.expression import keeps, names_in
from kmaint.records.harness import Harness
from kmaint.records.workload import Binding, Contract, Workload
from reintegrate.kinds.win import Declined, Win

ALIGNMENTS = (16, 8, 4, 2)
ROUNDED = re.compile(r"//|cdiv|next_power_of_2")
BELOW = re.compile(r"(?P<axis>\w+) <= (?P<limit>\w+)")


@dataclass(frozen=True, kw_only=True)
class Bound:
    """One axis of the box: whole numbers from `low` to `high` that `multiple` divides, or one of `values`."""

    axis: str
    low: int = 0
    high: int = 0
    multiple: int = 1
    values: tuple[Binding, ...] = ()

    def holds(self, value: Binding) -> bool:
        if self.values:
            return value in self.values
        return isinstance(value, int) and self.low <= value <= self.high and value % self.multiple == 0


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A box, and the workloads that it lets through."""

    bounds: tuple[Bound, ...]
    capability: tuple[int, int]
    inside: tuple[str, ...]

    def admits(self, axes: dict[str, Binding]) -> bool:
        return all(bound.holds(axes[bound.axis]) for bound in self.bounds)


def guard_of(win: Win) -> Guard | Declined:
    """The box with the most traffic that it wins and none that it does not win."""
    contract, won = win.harness.contract, win.won()
    if win.capability is None:
        return Declined("a guard names the CUDA architecture that was measured, and it was timed on none")
    if not won:
        return Declined(win.unknown or "it wins on no workload that was timed")
    open_axes = {axis.name for axis in contract.axes if len(axis.choices) != 1} - on_device(contract).keys()
    # What a launcher cannot tell from a winner is kept out where it loses plainly; where it gains nothing it cannot be.
    told = [{name: one.axes[name] for name in open_axes} for one in won]
    unseen = [one for one in contract.timed if on_device(contract) and {n: one.axes[n] for n in open_axes} in told]
    lost = {one.workload for one in win.lost_plainly()}
    apart = [one for one in contract.timed if one not in won and (one not in unseen or one.name in lost)]
    weights = {one.name: one.weight for one in won}
    # Best first: a box that still holds a loser gives way to those that leave it out on one side of one axis.
    queue = [(-sum(weights.values()), 0, tuple(won))]
    tried, numbers = set[tuple[str, ...]](), itertools.count(1)
    while queue:
        _, _, kept = heapq.heappop(queue)
        bounds = tuple(_bound(win.harness, axis, [one.axes[axis] for one in kept]) for axis in sorted(open_axes))
        guard = Guard(bounds=bounds, capability=win.capability, inside=tuple(one.name for one in kept))
        loser = next((one for one in apart if guard.admits(one.axes)), None)
        if loser is None:
            return replace(guard, inside=tuple(one.name for one in contract.timed if guard.admits(one.axes)))
        for part in _cuts(kept, loser, sorted(open_axes)):
            if part and (names := tuple(one.name for one in part)) not in tried:
                tried.add(names)
                heapq.heappush(queue, (-sum(weights[name] for name in names), next(numbers), part))
    return Declined("no range of sizes holds a workload that it wins and none that it loses")


def on_device(contract: Contract) -> dict[str, str]:
    """Axes that are lengths in a tensor alone, each with the argument that says how long they may be.

    Sizes that follow from such a length by rounding are what a caller has room for, as a pool of cache blocks; in a
    call that is captured once and replayed for every length they say no more of it than that. A size that is the
    length, or a multiple of it, shows it.
    """
    values = {one.name: one.value for one in contract.arguments if one.kind == "value"}
    said = {text[1:].strip(): name for name, text in values.items() if isinstance(text, str) and text.startswith("=")}
    lengths = {one.bound.strip() for one in contract.arguments if one.values == "lengths"}
    given = [one for one in contract.arguments if one.kind == "tensor" and one.when == "True"]
    lengths -= {name for one in given for size in one.shape if not ROUNDED.search(size) for name in names_in(size)}
    limits = (BELOW.fullmatch(constraint.strip()) for constraint in contract.constraints)
    return {
        found["axis"]: said[found["limit"]]
        for found in limits
        if found and found["axis"] in lengths - said.keys() and found["limit"] in said
    }


def _cuts(kept: Sequence[Workload], loser: Workload, axes: Sequence[str]) -> list[tuple[Workload, ...]]:
    """What is left of the winners on either side of a loser, along each axis."""
    parts: list[tuple[Workload, ...]] = []
    for axis in axes:
        at = loser.axes[axis]
        if isinstance(at, (int, float)) and not isinstance(at, bool):
            parts.append(tuple(one for one in kept if float(one.axes[axis]) < at))
            parts.append(tuple(one for one in kept if float(one.axes[axis]) > at))
        else:
            parts.append(tuple(one for one in kept if one.axes[axis] != at))
    return parts


def _bound(harness: Harness, axis: str, values: Sequence[Binding]) -> Bound:
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return Bound(axis=axis, values=tuple(sorted(set(values), key=str)))
    sizes = [int(value) for value in values]
    shared = math.gcd(*sizes) if _is_innermost(harness, axis) else 1
    multiple = next((one for one in ALIGNMENTS if shared % one == 0), 1)
    return Bound(axis=axis, low=min(sizes), high=max(sizes), multiple=multiple if min(sizes) < max(sizes) else 1)


def _is_innermost(harness: Harness, axis: str) -> bool:
    """Whether rows are as long as it: then its divisors are what vector accesses rely on."""
    shapes = [argument.shape for argument in harness.contract.arguments if len(argument.shape) > 1]
    return any(axis in names_in(shape[-1]) for shape in shapes) and not any(
        axis in names_in(size) for shape in shapes for size in shape[:-1]
    )


def outside(harness: Harness, guard: Guard) -> list[dict[str, Binding]]:
    """Cases just outside the box, one axis at a time, as far as the contract has such; and the smallest case of all."""
    base, contract = _smallest_inside(guard), harness.contract
    smallest = {axis.name: axis.choices[0] if axis.choices else max(1, axis.low) for axis in contract.axes}
    found = [] if guard.admits(smallest) else [smallest]
    fixed = {name: value for name, value in smallest.items() if name not in base}
    for axis in contract.axes:
        bound = next((one for one in guard.bounds if one.axis == axis.name), None)
        if bound is None:
            continue
        candidates: list[Binding] = [*axis.choices, *axis.edges]
        if not bound.values:
            candidates += [bound.low - 1, bound.high + 1, bound.low + bound.multiple - 1]
        lowest = axis.low if not axis.choices else None
        for value in dict.fromkeys(candidates):
            admitted = axis.choices == () or value in axis.choices
            low_enough = lowest is None or not isinstance(value, int) or value >= lowest
            if admitted and low_enough and not bound.holds(value):
                found.append({**fixed, **base, axis.name: value})
    return found


def turned_away(harness: Harness, guard: Guard) -> list[dict[str, Binding]]:
    """Cases on which the shipped code has to run: the workloads outside the box, and those just outside it that the
    launcher's constraints allow."""
    contract = harness.contract
    around = [axes for axes in outside(harness, guard) if keeps(contract.constraints, axes)]
    return [*(one.axes for one in contract.workloads if not guard.admits(one.axes)), *around]


def _smallest_inside(guard: Guard) -> dict[str, Binding]:
    return {bound.axis: bound.values[0] if bound.values else bound.low for bound in guard.bounds}
