"""What commands on trees print: captures and extractions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmaint.console import (
    DONE,
    NO,
    Format,
    print_lines,
    print_object,
    print_table,
)
from kmaint.records.call import Capture, Watched
from kmaint.records.harness import Extraction
from kmaint.wire import dump

if TYPE_CHECKING:
    from kmaint.workflow import ExtractedTree  # a scan needs no stage but extract


MOST_CALLED = 30
"""Rows of the table after a capture; the record has all."""


def capture(found: Capture, record: Path) -> None:
    """What was called most, on standard error: standard output belongs to the command that was captured."""
    called = [one for one in found.watched if one.calls]
    totals = Counter[str]()
    for one in called:
        totals[one.level] += one.calls
    rows = (
        (one.id, one.level, f"{one.calls:,}", str(one.distinct), f"{one.calls / totals[one.level]:.1%}", _unseen(one))
        for one in called[:MOST_CALLED]
    )
    print_table(("called", "level", "calls", "distinct", "share", ""), rows, to_error=True)
    more = f"; the table shows the first {MOST_CALLED}" if len(called) > MOST_CALLED else ""
    sums = ", ".join(f"{count:,} {level} calls" for level, count in sorted(totals.items())) or "no call"
    seen = f"{sums}: {len(called)} of {len(found.watched)} watched, in {found.processes} processes"
    print_lines([f"{seen}{more}: {record}"], to_error=True)


def _unseen(one: Watched) -> str:
    parts = (
        (one.beyond, "beyond the limit"),
        (one.failed, "not described"),
        (one.in_graph, "while a graph was captured"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in parts if count)


def extraction(ended: Extraction, output: Format) -> int:
    """How an extraction ended; the answer is no when it gave no harness."""
    if output is Format.JSON:
        print_object("kmaint.extract/1", {"harnesses": [dump(ended)]})
    else:
        print_lines([extraction_line(ended)])
    return DONE if ended.folder else NO


def extracted_tree(found: ExtractedTree, output: Format) -> int:
    """How each kernel ended, the counts, and what stopped the most; the answer is no when none gave a harness."""
    counts = _extraction_counts(found.extractions)
    if output is Format.JSON:
        rest = {"counts": {**counts, "reused": found.reused}, "seconds": round(found.seconds, 1)}
        print_object("kmaint.extract/1", {"harnesses": [dump(ended) for ended in found.extractions], **rest})
    else:
        print_lines(extraction_line(ended) for ended in found.extractions)
        rows = [(state, level, str(count)) for state in STATES for level, count in counts["levels"][state].items()]
        print_table(("state", "level", "kernels"), rows)
    return DONE if any(ended.folder for ended in found.extractions) else NO


STATES = ("ready", "imports", "stopped")


def _extraction_counts(ended: Sequence[Extraction]) -> dict[str, Any]:
    """How many were launched, how many ended in each state, and how many of those at which level."""
    levels = {state: Counter(item.level or "-" for item in ended if item.state == state) for state in STATES}
    states = {state: levels[state].total() for state in STATES}
    return {"launched": len(ended), **states, "levels": {state: dict(levels[state]) for state in STATES}}


def extraction_line(item: Extraction) -> str:
    alone = f" (kernel alone: {item.no_launcher})" if item.no_launcher else ""
    return f"{item.state}: {item.folder or item.id}" + (f": {item.reason}" if item.reason else "") + alone
