"""What a judge said of candidates that passed, and the lines that are closed by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kmaint import wire
from kmaint.agent.proposal import Ruling
from kmaint.records.evaluation import Evaluation
from kmaint.records.workload import Json

RULING = "ruling"
"""The kind of the events that hold these: {candidate id: Ruling}."""

SILENT = Ruling(decision="keep", reason="the judge gave no answer of use")


def given(tables: Iterable[Json]) -> dict[str, Ruling]:
    """The rulings in the events of a run that is resumed."""
    merged: dict[str, Ruling] = {}
    for table in tables:
        merged.update(wire.load(dict[str, Ruling], table))
    return merged


def closed(rulings: Mapping[str, Ruling], history: Sequence[Evaluation]) -> set[str]:
    """Candidates that get no turn any more: those to be left, and those that they were made from."""
    parents = {one.candidate.id: one.candidate.parent for one in history}
    shut: set[str] = set()
    for candidate, ruling in rulings.items():
        line: str | None = candidate if ruling.decision == "leave" else None
        while line is not None:
            shut.add(line)
            line = parents.get(line)
    return shut
