"""Hold harnesses against the ops they were cut from: the same bits on every workload, and within 3 % of the speed.

    python benchmarks/parity.py HARNESSES OUT.json --path DIR [--path DIR] [--tree DIR]

The shipped launcher takes the candidate's place on two of the gate's rungs, numerics and time. --path names folders
from which the framework can be imported. --tree is for a framework that cannot: the released file itself is loaded,
which works where it imports torch and triton only. Both sides run in one process, paired, on a machine with a GPU.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from kmaint import evaluate, wire
from kmaint.evaluate.gate import Climb, Measured, measure, numerics_rung
from kmaint.folder import read_harness
from kmaint.records.evaluation import Candidate, Interval, Plan, Timing
from kmaint.records.harness import Harness

CLOSE = 0.03
LIMITS_S = {"time": 180.0, "numerics": 600.0, "call": 180.0}
"""Importing a framework takes half a minute."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("harnesses", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--path", type=Path, action="append", default=[])
    parser.add_argument("--tree", type=Path)
    options = parser.parse_args()
    bench = evaluate.open_bench(device="cuda", limits_s=LIMITS_S, progress=print)
    found = []
    for folder in sorted(path.parent for path in options.harnesses.glob("*/harness.toml")):
        harness = read_harness(folder)
        source = shipped(harness, options.path, options.tree)
        if source is not None:
            found.append(compare(harness, source, bench))
            print(json.dumps(found[-1]), flush=True)
    content = {"environment": wire.dump(bench.environment), "harnesses": found}
    options.out.write_text(json.dumps(content, indent=1) + "\n")


def shipped(harness: Harness, paths: list[Path], tree: Path | None) -> str | None:
    """A file that gives the shipped launcher its name in the harness; None where this machine has no such framework."""
    origin = harness.provenance
    if any((path / origin.framework).is_dir() for path in paths):
        module = origin.path.removesuffix(".py").replace("/", ".")
        folders = [str(path.resolve()) for path in paths]
        return f"import sys\nsys.path[:0] = {folders!r}\nfrom {module} import {harness.entry}\n"
    file = tree / origin.path if tree else None
    return file.read_text() if file and file.is_file() else None


def compare(harness: Harness, source: str, bench: evaluate.Bench) -> dict[str, object]:
    """Bits and times of one harness; an op that this machine cannot run says why."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        file = scratch / "shipped.py"
        file.write_text(source)
        plan = Plan(bottleneck="unknown", edit="shipped", why="the op itself")
        candidate = Candidate(id="shipped", source=source, parent=None, plan=plan, provider="shipped")
        climb = Climb(harness, candidate, bench, scratch, file)
        rejection, _ = numerics_rung(climb)
        if rejection is not None:
            return {"harness": harness.folder.name, "failed": rejection.reason}
        measured = measure(harness, file, bench, scratch)
        assert climb.numerics is not None
        if not isinstance(measured, Measured):
            return {"harness": harness.folder.name, "failed": measured.reason}
        return {
            "harness": harness.folder.name,
            "bits": climb.numerics.kind,
            "close": all(is_close(ratio) for ratio in ratios(measured.timing).values()),
            "harness over shipped": {name: wire.dump(ratio) for name, ratio in ratios(measured.timing).items()},
        }


def ratios(timing: Timing) -> dict[str, Interval]:
    return {workload.workload: workload.speedup for workload in timing.workloads}


def is_close(ratio: Interval) -> bool:
    return abs(ratio.ratio - 1.0) <= CLOSE


if __name__ == "__main__":
    main()
