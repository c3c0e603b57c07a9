"""Rewrite the README's table of the whole engine from what 'kmaint bench' measured on a machine with a GPU.

    python -m benchmarks.engine [--check]

Reads benchmarks/results/*-engine.json: `bench` is a run's engine.json or engine_together.json, and `about` says on what
machine it was measured, and what else ran there.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from kmaint import wire
from kmaint.records.engine import LEGS, EngineBench, Leg, PointResult
from kmaint.records.evaluation import Interval
from reintegrate.engine import mean_of, result

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
    """Every point, and the mean of all, from the samples; microseconds a step are the median of the visits."""
    bench = wire.load(EngineBench, kept["bench"])
    legs = ["both patches", "base again", *(one.leg for one in bench.others)]
    columns = ["point", "base us a step", "patched us", *legs]
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    points = [result(point.point, point.samples) for point in bench.points]
    device: list[str] = []
    for stored, point in zip(bench.points, points, strict=True):
        times = [f"{_step_us(point, leg):,.0f}" for leg in LEGS[:2]]
        ratios = map(_told, (point.speed, point.noise, *point.others.values()))
        lines.append(f"| {' | '.join([point.point.name, *times, *ratios])} |")
        busy = [f"{leg} {seconds * 1e6:,.0f}" for leg, seconds in stored.busy_s.items()]
        device += [f"{point.point.name}: {', '.join(busy)}."] if busy else []
    means = [_told(mean_of(points, leg)) for leg in ("patched", "again", *(one.leg for one in bench.others))]
    lines.append(f"| {' | '.join(['all', '', '', *means])} |")
    came = max(one.count for one in bench.engaged)
    said = bench.likeness
    lines += [
        "",
        f"{bench.engine} {bench.version} on one {bench.device}, {bench.model}; it came by the patches up to {came}"
        f" times, and of {said.sequences} sequences {said.identical} were the same to the token. {kept['about']}",
    ]
    if device:
        lines += ["", f"Microseconds a token in which the device was busy, of one visit: {' '.join(device)}"]
    return "\n".join(lines)


def _step_us(point: PointResult, leg: Leg) -> float:
    name = "token_s" if point.speed is point.token else "seconds"
    return statistics.median(float(getattr(one, name)) for one in point.samples[leg]) * 1e6


def _told(found: Interval) -> str:
    return f"{found.ratio:.3f}x ({found.low:.3f} to {found.high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
