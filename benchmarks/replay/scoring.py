"""Searches of many worlds, several of each, and what they found of what there was to find."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.replay.searching import BUDGETS, Replay, Searched, taught
from benchmarks.replay.worlds import Knowledge, World
from kmaint.agent.operations import operation_of
from kmaint.records.lesson import Lesson

SEEDS = range(6)
PROPOSALS = (8, 16)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What one strategy and provider found; each list holds a value a kernel, the mean over seeds."""

    shares: list[list[float]]
    """Best found over best there is, after each budget."""
    gains: list[list[float]]
    """The part of the gain that was found, after each budget."""
    by_proposals: list[list[float]]
    """The same after so many proposals, which is what a model's tokens go by."""
    verdicts: float
    """Before the strategy ended by itself, and the proposals that were asked for until then."""
    proposals: float
    ended: list[float]
    """The part of the gain that it had found then."""


Found = dict[tuple[str, int], Searched]
"""Searches by kernel and seed."""


def searched(replay: Replay, worlds: Sequence[World], strategy: str, knowledge: Knowledge) -> Found:
    return {(w.kernel, seed): replay.search(w, strategy, knowledge, seed) for w in worlds for seed in SEEDS}


def taught_by_others(replay: Replay, worlds: Sequence[World], strategy: str, first: Found, *, elsewhere: bool) -> Found:
    """Again, with what the same searches on all other kernels taught; `elsewhere` leaves out those of its operation."""
    known = {key: taught(world, first[key], strategy) for world in worlds for key in first if key[0] == world.kernel}

    def lessons(world: World, seed: int) -> list[Lesson]:
        own = operation_of(world.kernel)
        others = [one.kernel for one in worlds if one is not world]
        return [
            lesson
            for kernel in others
            if not (elsewhere and operation_of(kernel) == own)
            for lesson in known[kernel, seed]
        ]

    return {
        (w.kernel, seed): replay.search(w, strategy, "chance", seed, lessons(w, seed)) for w in worlds for seed in SEEDS
    }


def scored(worlds: Sequence[World], found: Found) -> Scored:
    def by_kernel(value: Callable[[World, Searched], float]) -> list[float]:
        return [statistics.fmean(value(world, found[world.kernel, seed]) for seed in SEEDS) for world in worlds]

    def after(budgets: Sequence[int], value: Callable[[World, Searched, int], float]) -> list[list[float]]:
        def within(budget: int) -> list[float]:
            return by_kernel(lambda world, one: value(world, one, budget))

        return [within(budget) for budget in budgets]

    return Scored(
        shares=after(BUDGETS, lambda world, one, budget: one.best(budget) / world.best),
        gains=after(BUDGETS, lambda world, one, budget: one.gained(world, budget)),
        by_proposals=after(PROPOSALS, lambda world, one, budget: one.gained(world, one.verdicts(budget))),
        verdicts=statistics.fmean(one.ended for one in found.values()),
        proposals=statistics.fmean(one.proposals for one in found.values()),
        ended=by_kernel(lambda world, one: one.gained(world, one.ended)),
    )
