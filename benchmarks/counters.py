"""What ncu counts in originals, on a machine with a GPU: their profiles, and how long it takes.

    python -m benchmarks.counters HARNESS... [-o FILE] [--log FOLDER]

FILE gets, by harness, the profile as the planner reads it (`kmaint.evaluate.baseline`) and the seconds that one run
under ncu took, the start of its process included; FOLDER all that ncu wrote in that run. It runs in an interpreter
with what kmaint needs, which `python -m benchmarks.campaign prepare` packs for a machine without network.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from kmaint import counted, wire
from kmaint.evaluate import Bench, baseline, open_bench
from kmaint.evaluate.bench import laid_out
from kmaint.evaluate.rungs import counters, facts
from kmaint.folder import read_harness, write_text
from kmaint.records.harness import Harness


def measured(harness: Harness, bench: Bench, log: Path | None) -> dict[str, Any]:
    """One run under ncu by itself, and then the profile, which has another."""
    with laid_out(harness, harness.replaced.read_text()) as (scratch, file):
        if harness.language == "cuda":
            file = facts.as_candidate(harness, bench, scratch)
        started = time.monotonic()
        found = counters.count(harness, file, bench, scratch)
        seconds = time.monotonic() - started
    if log is not None:
        write_text(log / f"{harness.folder.name}.txt", found.log)
    print("\n".join(counted.lines(found.counters)) if found.counters else found.trouble, flush=True)
    profile = wire.dump(baseline(harness, bench))
    return {"count_s": round(seconds, 1), "trouble": found.trouble, "profile": profile}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("harnesses", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/counters.json"))
    parser.add_argument("--log", type=Path, help="a folder for what ncu writes")
    options = parser.parse_args()
    bench = open_bench(Path(sys.executable), device="cuda", progress=print)
    found: dict[str, Any] = {"environment": wire.dump(bench.environment), "harnesses": {}}
    for folder in options.harnesses:
        found["harnesses"][folder.name] = measured(read_harness(folder), bench, options.log)
        write_text(options.output, json.dumps(found, indent=1) + "\n")  # a call that is cut short has lost nothing


if __name__ == "__main__":
    main()
