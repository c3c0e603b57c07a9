"""Rewrite the README's table of the whole engine from what 'kmaint bench' measured on a machine with a GPU.

    python -m benchmarks.engine [--check]

Reads benchmarks/results/*-engine.json: `bench` is a run's engine.json, `beside` holds samples of the same engine with
other arguments at the same points, by what was set, and `about` says on what machine, and what else ran there.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from kmaint import wire
from kmaint.records.engine import EngineBench, PointResult
from kmaint.records.evaluation import Interval

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- engine: written by benchmarks/engine.py -->", "<!-- end of engine -->"


def main() -> int:
    readme = ROOT / "README.md"
    before = readme.read_text()
    head, rest = before.split(BEGIN)
    after = f"{head}{BEGIN}\n{table(newest())}\n{END}{rest.split(END)[1]}"
    if "--check" in sys.argv:
        return int(after != before)
    readme.write_text(after)
    return 0


def newest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(max(RESULTS.glob("*-engine.json")).read_text())
    return found


def table(kept: dict[str, Any]) -> str:
    """Every point, and the mean of all; microseconds a step are of the whole batch, as the median of the visits."""
    bench, beside = wire.load(EngineBench, kept["bench"]), kept["beside"]
    columns = ["point", "base us a step", "patched us", *(f"{name} us" for name in beside), "throughput (95 %)"]
    lines = [f"| {' | '.join([*columns, 'base over base'])} |", "| --- " * (len(columns) + 1) + "|"]
    for point in bench.points:
        visits = {leg: [one.seconds for one in point.samples[leg]] for leg in ("base", "patched")}
        others = {name: [one["seconds"] for one in found["samples"][_asked(point)]] for name, found in beside.items()}
        times = [f"{_step_us(one, point):,.0f}" for one in (*visits.values(), *others.values())]
        lines.append(f"| {' | '.join([point.point.name, *times, _told(point.throughput), _told(point.noise)])} |")
    empty = [""] * (len(columns) - 2)
    lines.append(f"| {' | '.join(['all', *empty, _told(bench.speedup), _told(bench.noise)])} |")
    came = max(one.count for one in bench.engaged)
    said = bench.likeness
    lines += [
        "",
        f"{bench.engine} {bench.version} on one {bench.device}, {bench.model}; it came by the patches up to {came}"
        f" times, and of {said.sequences} sequences {said.identical} were the same to the token. {kept['about']}",
    ]
    return "\n".join(lines)


def _asked(point: PointResult) -> str:
    return f"{point.point.phase}:{point.point.batch}x{point.point.context}"


def _step_us(seconds: list[float], point: PointResult) -> float:
    return statistics.median(seconds) / point.point.tokens * 1e6


def _told(found: Interval) -> str:
    return f"{found.ratio:.3f}x ({found.low:.3f} to {found.high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
