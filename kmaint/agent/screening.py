"""Rough ranks of many variants, each asked for once in a run, and written down so that a resumed run ranks alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kmaint import wire
from kmaint.evaluate import Bench, Screened, screen
from kmaint.records.harness import Harness
from kmaint.records.workload import Json

Note = Callable[[str, Json], None]
"""Writes an event of the run down: its kind, and what it holds."""

TABLE = "screening"
"""The kind of the events that hold these ranks: {candidate id: Screened}."""


@dataclass(frozen=True, kw_only=True)
class Screening:
    """Ranks whole sources against the original. `table` is what has been ranked so far, by candidate id."""

    harness: Harness
    bench: Bench
    note: Note
    table: dict[str, Screened] = field(default_factory=dict)

    def __call__(self, sources: Sequence[str]) -> list[Screened]:
        """One rank for each source; only those that were never ranked are run, all in one child."""
        unknown = {wire.digest(source): source for source in sources}
        unknown = {digest: source for digest, source in unknown.items() if digest not in self.table}
        if unknown:
            found = dict(zip(unknown, screen(self.harness, list(unknown.values()), self.bench), strict=True))
            self.table.update(found)
            self.note(TABLE, wire.dump(found))
        return [self.table[wire.digest(source)] for source in sources]


def remembered(tables: Iterable[Json]) -> dict[str, Screened]:
    """The ranks in the events of a run that is resumed."""
    merged: dict[str, Screened] = {}
    for table in tables:
        merged.update(wire.load(dict[str, Screened], table))
    return merged
