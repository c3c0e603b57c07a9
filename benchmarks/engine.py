"""Rewrite the tables of whole engines in docs/measured.md from what 'kmaint bench' measured on a machine with a GPU.

    python -m benchmarks.engine [--check]

Reads benchmarks/results/*-engine.json, of each table the newest: `bench` is a run's engine.json or
engine_together.json, `about` says on what machine it was measured, and what else ran there, and `table`, where it is
there, whose it is beside the engine's own.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.pages import Place
from kmaint import wire
from kmaint.records.engine import LEGS, EngineBench, Leg, PointResult
from kmaint.records.timing import Interval
from reintegrate.engine import mean_of, result

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
TABLES = ("vllm", "vllm deeper", "sglang")


def main() -> int:
    check = "--check" in sys.argv
    stale = [place(name).put(table(newest(name)), check=check) for name in TABLES]
    return int(check and any(stale))


def place(name: str) -> Place:
    """Where the table of that name stands."""
    return Place("docs/measured.md", f"engine {name}", "benchmarks/engine.py")


def newest(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*-engine.json"))]
    return [one for one in found if one.get("table", one["bench"]["engine"]) == name][-1]


def table(kept: dict[str, Any]) -> str:
    """Every point, and the mean of all, from the samples; microseconds a step are the median of the visits.

    Last, base over patched in time that the device was busy, where that was recorded.
    """
    bench = wire.load(EngineBench, kept["bench"])
    legs = ["both patches", "base again", *(one.leg for one in bench.others)]
    busy = [_busy(point) for point in bench.points]
    columns = ["point", "base us a step", "patched us", *legs, *(["device busy"] if any(busy) else [])]
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    points = [result(point.point, point.samples) for point in bench.points]
    for point, ratio in zip(points, busy, strict=True):
        times = [f"{_step_us(point, leg):,.0f}" for leg in LEGS[:2]]
        ratios = map(_told, (point.speed, point.noise, *point.others.values()))
        lines.append(f"| {' | '.join([point.point.name, *times, *ratios, *([ratio] if any(busy) else [])])} |")
    means = [_told(mean_of(points, leg)) for leg in ("patched", "again", *(one.leg for one in bench.others))]
    lines.append(f"| {' | '.join(['all', '', '', *means, *([''] if any(busy) else [])])} |")
    came = max(one.count for one in bench.engaged)
    said = bench.likeness
    lines += [
        "",
        f"{bench.engine} {bench.version} on one {bench.device}, {bench.model}; it came by the patches up to {came}"
        f" times, and of {said.sequences} sequences {said.identical} were the same to the token. {kept['about']}",
    ]
    return "\n".join(lines)


def _busy(point: PointResult) -> str:
    if not {"base", "patched"} <= point.busy_s.keys():
        return ""
    base, patched = point.busy_s["base"], point.busy_s["patched"]
    return f"{base * 1e6:,.0f} to {patched * 1e6:,.0f} us, {base / patched:.3f}x"


def _step_us(point: PointResult, leg: Leg) -> float:
    name = "token_s" if point.speed is point.token else "seconds"
    return statistics.median(float(getattr(one, name)) for one in point.samples[leg]) * 1e6


def _told(found: Interval) -> str:
    return f"{found.ratio:.3f}x ({found.low:.3f} to {found.high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
