"""Profiles with hardware counters, of the parents for which a strategy asks for them, each taken once in a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from kmaint import wire
from kmaint.agent.proposal import Parent
from kmaint.agent.screening import Note
from kmaint.agent.strategies.turn import Counts
from kmaint.evaluate import Bench, count_source
from kmaint.records.evaluation import Profile
from kmaint.records.harness import Harness
from kmaint.records.workload import Json

COUNTED = "counted"
"""The kind of the events that hold these: {candidate id: Profile}."""


@dataclass(frozen=True, kw_only=True)
class Counting:
    """Profiles by candidate id; one that no counters could be had for is kept as it was, and not tried again."""

    harness: Harness
    bench: Bench
    note: Note
    table: dict[str, Profile] = field(default_factory=dict)

    def at(self, parents: Sequence[Parent], counts: Counts) -> list[Parent]:
        """The parents, with counters in the profiles of those that the strategy wants them of. None without a GPU."""
        if self.bench.device == "cuda":
            for parent in counts([self._seen(one) for one in parents]):
                self._count(parent)
        return [self._seen(one) for one in parents]

    def _count(self, parent: Parent) -> None:
        if parent.id is None or parent.id in self.table or parent.profile.counters is not None:
            return  # the original's baseline was taken with counters, where there are any
        found, _trouble = count_source(parent.profile, self.harness, parent.source, self.bench)
        self.table[parent.id] = found
        self.note(COUNTED, {parent.id: wire.dump(found)})

    def _seen(self, parent: Parent) -> Parent:
        found = self.table.get(parent.id) if parent.id is not None else None
        return parent if found is None else replace(parent, profile=found)


def taken(tables: Iterable[Json]) -> dict[str, Profile]:
    """What was counted, by the events of a run that is resumed."""
    merged: dict[str, Profile] = {}
    for table in tables:
        merged.update(wire.load(dict[str, Profile], table))
    return merged
