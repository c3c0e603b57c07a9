"""How far apart the blocks lie in which the campaign's runs timed a kernel against itself, by how long a call takes.

    python -m benchmarks.aa_blocks [--check]

Every workload that was measured for the gate has as many such blocks as it has of the pair, in one session: what they
lie apart is the clock's own. Writes two tables into docs/measured.md: of the runs, and of what was retimed since.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.campaign.kernels import HOME
from benchmarks.pages import Place

RUNS = Place("docs/measured.md", "blocks", "benchmarks/aa_blocks.py")
RETIMED = Place("docs/measured.md", "retimed blocks", "benchmarks/aa_blocks.py")
EDGES_US = (3.0, 6.0, 12.0, 30.0, math.inf)
FAR = 0.05
"""Of a block: that its two halves are farther apart than the gains that most edits bring."""
WIDE = 0.03
"""Of a workload's A/A interval: that it reaches so far from 1."""
HEAD = (
    "| a call takes | measurements | A/A blocks | beyond 5 % | A/A interval beyond 3 % |",
    "| --- | --- | --- | --- | --- |",
)

Timed = dict[str, Any]
"""A workload's record."""


def main() -> int:
    check = "--check" in sys.argv
    stale = [place.put(table(list(found())), check=check) for place, found in PAGES]
    return int(any(stale) and check)


def recorded() -> Iterator[Timed]:
    """Each workload that a run of the campaign measured for the gate."""
    for record in _records():
        for evaluation in record["run"]["evaluations"]:
            yield from _controlled(evaluation["verdict"])


def retimed() -> Iterator[Timed]:
    """Likewise, of what was timed once more with a later clock."""
    for record in _records():
        yield from _controlled(record.get("retimed") or {})


PAGES = ((RUNS, recorded), (RETIMED, retimed))


def _records() -> Iterator[dict[str, Any]]:
    for path in sorted(HOME.glob("*/*.json")):
        yield json.loads(path.read_text())


def _controlled(said: dict[str, Any]) -> Iterator[Timed]:
    """Of what was measured, and of what that was to confirm."""
    timings = [said[name] for name in ("first", "timing") if said.get(name)]
    return (one for timing in timings for one in timing["workloads"] if one["control_a_us"])


def table(found: Sequence[Timed]) -> str:
    rows, below = list(HEAD), 0.0
    for edge in EDGES_US:
        some = [one for one in found if below <= statistics.median(one["original_us"]) < edge]
        blocks = [a / b for one in some for a, b in zip(one["control_a_us"], one["control_b_us"], strict=True)]
        far = [ratio for ratio in blocks if abs(ratio - 1.0) > FAR]
        wide = [one for one in some if max(one["noise"]["high"] - 1.0, 1.0 - one["noise"]["low"]) > WIDE]
        shares = f"{len(far) / max(1, len(blocks)):.1%} | {len(wide) / max(1, len(some)):.0%}"
        size = f"{below:g} to {edge:g} us" if math.isfinite(edge) else f"{below:g} us and more"
        rows.append(f"| {size} | {len(some)} | {len(blocks):,} | {shares} |")
        below = edge
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
