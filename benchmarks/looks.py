"""How far a first look beside others lies from one alone, and from one over as many argument sets as are timed.

    python -m benchmarks.looks HARNESSES [--count 100] [--jobs 12] [--out FILE]

Makes labelled candidates (candidates.py), takes those that are right, and looks at each three times: a dozen at a time
beside one another, as `kmaint check --best` does; each with the GPU alone; and alone over 256 argument sets. FILE holds
every ratio of every workload, in rounds or ranks. For a GPU.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import candidates as making
from kmaint import evaluate
from kmaint.evaluate.bench import Bench, Done
from kmaint.evaluate.look import LOOK
from kmaint.evaluate.rungs import facts
from kmaint.evaluate.screen import Rough, compared
from kmaint.folder import write_text
from kmaint.records.harness import Harness

WAYS = {"beside": LOOK, "alone": replace(LOOK, best=0), "many": Rough(rounds=LOOK.rounds, sets=256)}
QUANTILES = (0.5, 0.9, 0.99, 1.0)

Seen = dict[str, dict[str, list[float]]]
"""By way and workload, original over candidate."""


def looks(files: Sequence[tuple[Harness, Path]], bench: Bench, jobs: int) -> list[Seen]:
    """All are built, and then each way is gone for all files before the next one begins."""
    found: list[Seen] = [{} for _ in files]

    def build(number: int) -> None:
        harness, file = files[number]
        facts.compile_all(harness, [file], bench, _scratch(file))

    def look(number: int, way: str, rough: Rough) -> None:
        harness, file = files[number]
        (answer, ratios) = compared(harness, [file], bench, _scratch(file), rough)[file]
        if isinstance(answer, Done) and ratios:
            found[number][way] = ratios

    ways: dict[str, Callable[[int], None]] = {way: partial(look, way=way, rough=rough) for way, rough in WAYS.items()}
    for name, step in {"build": build, **ways}.items():
        started = time.monotonic()
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(step, range(len(files))))
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return found


def _scratch(file: Path) -> Path:
    """What was built there is found there again."""
    scratch = file.with_suffix(".scratch")
    scratch.mkdir(exist_ok=True)
    return scratch


def summary(found: Sequence[Seen]) -> dict[str, Any]:
    """How far the median of a workload lies from that of another way, as a share, at quantiles of all workloads."""
    said: dict[str, Any] = {}
    for way, other in (("beside", "alone"), ("beside", "many"), ("alone", "many")):
        off = sorted(
            abs(statistics.median(seen[way][name]) / statistics.median(seen[other][name]) - 1.0)
            for seen in found
            if way in seen and other in seen
            for name in seen[way]
        )
        at = {str(q): round(off[min(len(off) - 1, int(q * len(off)))], 4) for q in QUANTILES} if off else {}
        said[f"{way} from {other}"] = {"workloads": len(off), "off_by": at}
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("harnesses", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/looks.json"))
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="kmaint-looks-", ignore_cleanup_errors=True) as name,
        evaluate.warmed(evaluate.open_bench(device="cuda")) as bench,
    ):
        harnesses = {one.folder.name: one for one in making.usable(options.harnesses)}
        rows = making.write(list(harnesses.values()), Path(name), options.count)
        rows = [row for row in rows if row["label"] == "right"]
        files = [(harnesses[row["harness"]], Path(name) / row["file"]) for row in rows]
        found = looks(files, bench, options.jobs)
        report = {"summary": summary(found), "looks": [{**row, **seen} for row, seen in zip(rows, found, strict=True)]}
        write_text(options.out, json.dumps(report, indent=1) + "\n")
        print(json.dumps(report["summary"], indent=1))


if __name__ == "__main__":
    main()
