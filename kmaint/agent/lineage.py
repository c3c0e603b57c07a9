"""Who was made from whom: the descent of a candidate in a history."""

from __future__ import annotations

from collections.abc import Sequence

from kmaint.records.evaluation import Candidate, Evaluation


def descent(candidate: str | None, history: Sequence[Evaluation]) -> list[Candidate]:
    """The candidate of that id and those it was made from, nearest first; empty for the original, whose id is None."""
    by_id = {one.candidate.id: one.candidate for one in history}
    line: list[Candidate] = []
    while candidate is not None:
        line.append(by_id[candidate])
        candidate = line[-1].parent
    return line


def root(candidate: str | None, history: Sequence[Evaluation]) -> str | None:
    """The edit of the original that a candidate descends from; None for the original itself."""
    line = descent(candidate, history)
    return line[-1].id if line else None
