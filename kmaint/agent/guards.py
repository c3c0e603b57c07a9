"""Where each of several candidates is to be used: by one threshold on one size, as a reviewer would write it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kmaint.records.workload import Contract, Workload

WORST = 0.98
"""A branch is not taken where any workload would lose more than the gate allows."""
EACH_BRANCH = 0.01
"""What another branch has to add to the whole, in logarithms: one more thing to read and to test."""


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Sizes from `low` to `high` of one expression over the launcher's parameters; None is open."""

    size: str
    low: int | None
    high: int | None

    @property
    def text(self) -> str:
        """As Python writes it."""
        if self.low is not None and self.high is not None:
            equal = f"{self.size} == {self.low}"
            return equal if self.low == self.high else f"{self.low} <= {self.size} <= {self.high}"
        return f"{self.size} >= {self.low}" if self.high is None else f"{self.size} <= {self.high}"

    @property
    def name(self) -> str:
        """A word for the sizes inside."""
        return "large" if self.high is None else "small" if self.low is None else "middle"

    def holds(self, size: int) -> bool:
        """Whether a size is inside."""
        return (self.low is None or size >= self.low) and (self.high is None or size <= self.high)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Which candidate serves which sizes, by its place in what was given; anything else is served as shipped."""

    branches: tuple[tuple[Guard, int], ...]
    expected: float
    """Weighted geometric mean over the workloads, original over table, by the candidates' own measured ratios."""


def best_table(contract: Contract, ratios: Sequence[Mapping[str, float]]) -> Table | None:
    """The best table with one size in all its guards; None where no candidate has sizes that it alone should serve.

    `ratios` holds, for each candidate, original over candidate by workload.
    """
    workloads = [one for one in contract.timed if all(one.name in found for found in ratios)]
    if not workloads or not ratios:
        return None
    tables = [_table(size, axis, workloads, ratios) for axis, size in sizes(contract).items()]
    found = [table for table in tables if table.branches and not _is_everything(table)]
    return max(found, key=lambda table: (_value(table), -len(table.branches)), default=None)


def sizes(contract: Contract) -> dict[str, str]:
    """How a launcher says each axis in terms of its own parameters, the first that says it as it is."""
    found: dict[str, str] = {}
    for argument in contract.arguments:
        if argument.kind == "tensor" and argument.when == "True":
            for dimension, axis in enumerate(argument.shape):
                found.setdefault(axis, f"{argument.name}.shape[{dimension}]")
        elif isinstance(argument.value, str) and argument.value.startswith("="):
            found.setdefault(argument.value.removeprefix("=").strip(), argument.name)
    whole = {axis.name for axis in contract.axes if all(type(one) is int for one in axis.choices)}
    return {axis: size for axis, size in found.items() if axis in whole}


def _table(size: str, axis: str, workloads: Sequence[Workload], ratios: Sequence[Mapping[str, float]]) -> Table:
    """For each value of the axis whoever serves it best; neighbours with the same one share a guard."""
    at: dict[int, list[Workload]] = {}
    for workload in workloads:
        at.setdefault(int(workload.axes[axis]), []).append(workload)
    served = {value: _server(at[value], ratios) for value in sorted(at)}
    served = _simplified(served, at, ratios)
    branches = []
    for server, group in itertools.groupby(served.items(), key=lambda item: item[1]):
        values = [value for value, _ in group]
        if server is not None:
            low = None if values[0] == min(served) else values[0]
            high = None if values[-1] == max(served) else values[-1]
            branches.append((Guard(size=size, low=low, high=high), server))
    total = sum(workload.weight for workload in workloads)
    gain = sum(_gain(served[value], at[value], ratios) for value in served) / total
    return Table(branches=tuple(branches), expected=math.exp(gain))


def _server(workloads: Sequence[Workload], ratios: Sequence[Mapping[str, float]]) -> int | None:
    """The candidate that gains most without losing any of these workloads; None is what was shipped."""
    allowed = [n for n, found in enumerate(ratios) if all(found[one.name] >= WORST for one in workloads)]
    best = max(allowed, key=lambda n: _gain(n, workloads, ratios), default=None)
    return best if best is not None and _gain(best, workloads, ratios) > 0.0 else None


def _simplified(
    served: Mapping[int, int | None], at: Mapping[int, list[Workload]], ratios: Sequence[Mapping[str, float]]
) -> dict[int, int | None]:
    """One candidate for another, or what was shipped, for as long as that saves more reading than it costs in speed."""
    total = sum(workload.weight for found in at.values() for workload in found)
    best = dict(served)

    def worth(table: Mapping[int, int | None]) -> float:
        runs = sum(server is not None for server, _ in itertools.groupby(table.values()))
        return sum(_gain(table[value], at[value], ratios) for value in table) / total - EACH_BRANCH * runs

    while True:
        tries = [one for one in _merged(best) if _is_allowed(one, at, ratios) and worth(one) > worth(best)]
        if not tries:
            return best
        best = max(tries, key=worth)


def _merged(served: Mapping[int, int | None]) -> Iterator[dict[int, int | None]]:
    """The table with all that one server serves handed to another or to what was shipped."""
    for one, other in itertools.permutations({*served.values(), None}, 2):
        if one is not None:
            yield {value: other if server == one else server for value, server in served.items()}


def _is_allowed(
    served: Mapping[int, int | None], at: Mapping[int, list[Workload]], ratios: Sequence[Mapping[str, float]]
) -> bool:
    pairs = [(server, one) for value, server in served.items() if server is not None for one in at[value]]
    return all(ratios[server][one.name] >= WORST for server, one in pairs)


def _gain(server: int | None, workloads: Sequence[Workload], ratios: Sequence[Mapping[str, float]]) -> float:
    if server is None:
        return 0.0
    return sum(one.weight * math.log(ratios[server][one.name]) for one in workloads)


def _is_everything(table: Table) -> bool:
    """Whether one candidate serves every size: then it needs no table."""
    return len(table.branches) == 1 and table.branches[0][0].low is None and table.branches[0][0].high is None


def _value(table: Table) -> float:
    return math.log(table.expected) - EACH_BRANCH * len(table.branches)
