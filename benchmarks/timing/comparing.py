"""Every comparison through the gate's own `measure`: one worker for each part, its outputs judged by a second one."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib.util
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from benchmarks.timing.kept import Kept
from benchmarks.timing.planting import Refused, calibrated, called_twice, slowed
from benchmarks.timing.table import rows

Clock = Literal["graph", "wall"]

PACKAGES = ("pydantic", "tomlkit")
"""What kmaint needs beside torch and triton to measure."""
PLANTED = (
    ("vllm-merge-attn-states-kernel", "T768"),
    ("vllm-merge-attn-states-kernel", "T4096"),
    ("sglang-triton-mrope-forward-fused", "T4096"),
)
"""Workloads of 17 to 90 us on an H200; the last one works in place. In fused_rmsnorm_kernel the wait alone, however
short, costs 4.4 %, so nothing of 3 % can be planted there."""
COMPARISONS = 300
PLANTED_ROUNDS = 20
"""Of each workload and sign: 60 comparisons of each sign."""


def run(options: argparse.Namespace) -> int:
    if any(importlib.util.find_spec(name) is None for name in PACKAGES):
        sys.path.insert(0, str(options.folder.resolve() / "site"))
    from kmaint import evaluate, wire
    from kmaint.folder import read_harness

    dry = options.clock == "wall"
    bench = evaluate.open_bench(device="none" if dry else "cuda", progress=print, limits_s={"time": 120.0})
    kept, deadline = Kept(options.result), time.monotonic() + 60.0 * options.minutes
    kept.content["environment"] = wire.dump(bench.environment)
    found = {path.parent.name: path.parent for path in sorted(options.folder.glob("*/harness.toml"))}
    harnesses = {name: read_harness(folder) for name, folder in found.items()}
    longest_s = 30.0
    for name, part in parts(harnesses, bench, options):
        if kept.has(name):
            continue
        if time.monotonic() + longest_s > deadline:
            print("no time for another part; run it again to go on", flush=True)
            break
        started = time.monotonic()
        try:
            result = {"state": "measured", "reason": "", **part()}
        except Exception as error:  # noqa: BLE001 - a part that fails is a line of the result
            result = {"state": "failed", "reason": f"{type(error).__name__}: {error}"[:500]}
        seconds = time.monotonic() - started
        longest_s = max(longest_s, seconds)
        kept.add({"name": name, "seconds": round(seconds, 1), **result})
    print("\n".join(rows(kept.content)))
    return 0


def parts(harnesses: dict[str, Any], bench: Any, options: argparse.Namespace) -> list[tuple[str, Callable[[], Any]]]:
    """What is to be measured, by name; the two kinds take turns, so that a run cut short has some of each."""
    timed = sum(len(harness.contract.timed) for harness in harnesses.values())
    rounds = options.rounds or math.ceil(COMPARISONS / timed)
    same = [
        (f"same: {name}", functools.partial(compare_same, harness, bench, rounds, options.clock))
        for name, harness in harnesses.items()
    ]
    dry = [(name, harness.contract.timed[0].name) for name, harness in harnesses.items()]
    other = [
        (f"{sign}: {name} {workload}", functools.partial(planted, (harnesses[name], workload), sign, bench, options))
        for name, workload in (dry if options.clock == "wall" else PLANTED)
        if name in harnesses
        for sign in ("slower", "faster")
    ]
    mixed = [part for pair in zip(same, other[::2], other[1::2], strict=False) for part in pair]
    return mixed + [part for part in [*same, *other] if part not in mixed]


def compare_same(harness: Any, bench: Any, rounds: int, clock: Clock) -> dict[str, Any]:
    source = (harness.folder / "kernel.py").read_text()
    return {"kind": "same", **comparisons(harness, f"{source}\n# a copy\n", bench, rounds, clock)}


def planted(at: tuple[Any, str], sign: str, bench: Any, options: argparse.Namespace) -> dict[str, Any]:
    """The same kernel with a known time added, as the candidate or as the original."""
    harness, name = at
    one = tuple(workload for workload in harness.contract.workloads if workload.name == name)
    harness = dataclasses.replace(harness, contract=dataclasses.replace(harness.contract, workloads=one))
    source = (harness.folder / "kernel.py").read_text()
    if options.clock == "wall":
        known: dict[str, Any] = {"ratio": 2.0}
        slow = called_twice(source, harness.entry)
    else:
        known = calibrated(harness.folder, harness.entry, name, options.folder)
        slow = slowed(source, known["cycles"])
    rounds = options.rounds or PLANTED_ROUNDS
    if sign == "slower":
        return {"kind": sign, "known": known, **comparisons(harness, slow, bench, rounds, options.clock)}
    with tempfile.TemporaryDirectory(prefix="kmaint-planted-") as scratch:
        folder = Path(shutil.copytree(harness.folder, Path(scratch) / harness.folder.name, symlinks=True))
        (folder / "kernel.py").write_text(slow)
        slow_harness = dataclasses.replace(harness, folder=folder)
        found = comparisons(slow_harness, source, bench, rounds, options.clock)
    return {"kind": sign, "known": known, **found}


def comparisons(harness: Any, source: str, bench: Any, rounds: int, clock: Clock) -> dict[str, Any]:
    """Every workload of every round that was not refused, and the reasons of those that were."""
    from kmaint.evaluate.bench import scratch_with
    from kmaint.evaluate.timing.measuring import Measured, measure_rounds
    from kmaint.evaluate.timing.session import Effort

    effort = Effort(rounds=rounds, clock=clock)
    if clock == "wall":
        effort = dataclasses.replace(effort, most_blocks=4)
    with scratch_with(source) as (scratch, file):
        found = measure_rounds(harness, file, bench, scratch, effort)
    refused = [f"{one.kind} {', '.join(one.codes)}: {one.reason}" for one in found if not isinstance(one, Measured)]
    if len(refused) == len(found):
        raise Refused(refused[0])
    timings = [timing for one in found if isinstance(one, Measured) for timing in one.timing.workloads]
    return {"comparisons": [comparison(timing) for timing in timings], "refused": refused}


def comparison(found: Any) -> dict[str, Any]:
    """One workload's samples, and what the rule says of them alone."""
    from kmaint.evaluate.timing.ratios import combine, is_loss, is_win

    timing = combine([found])
    samples = ("original_us", "candidate_us", "control_a_us", "control_b_us")
    traces = (found.original_trace, found.candidate_trace)
    return {
        "workload": found.workload,
        "call": "win" if is_win(timing) else "loss" if is_loss(timing) else "none",
        "ratio": [round(value, 5) for value in vars(timing.speedup).values()],
        "noise": [round(value, 5) for value in vars(found.noise).values()],
        "noise_floor": round(timing.noise_floor, 5),
        "wall_ratio": None if found.wall_ratio is None else round(found.wall_ratio, 5),
        "eager_ratio": round(found.eager.ratio, 4),
        "busy_us": [None if trace is None else round(trace.busy_us, 4) for trace in traces],
        "launches": [None if trace is None else trace.launches for trace in traces],
        "conditions": [list(vars(one).values()) for one in found.conditions],
        "dropped": found.dropped,
        "late": found.late,
        "compared": found.compared,
        **{name: [round(us, 4) for us in getattr(found, name)] for name in samples},
    }
