"""Rung 7: a comparison of two files' times, from the samples of one worker to a record or a rejection."""

from __future__ import annotations

import secrets
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmaint.evaluate import facts
from kmaint.evaluate.bench import Bench, Done, Failed, Lost, Request, ask
from kmaint.evaluate.profile import floor_us
from kmaint.evaluate.suite import verdict_of
from kmaint.evaluate.timing import below_floor, combine, interval, is_win
from kmaint.records.evaluation import Dishonest, Rejection, Timing, WorkloadTiming, Wrong
from kmaint.records.harness import Harness

BLOCKS = 24
QUICK_BLOCKS = 12


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A comparison over all timed workloads, and the SM clock after the first and after the last of them."""

    timing: Timing
    clocks_mhz: tuple[int, ...]


def confirmed(harness: Harness, file: Path, bench: Bench, scratch: Path) -> Measured | Rejection:
    """As `measure`; a win is measured again in a new process on new data, and only that is reported."""
    found = measure(harness, file, bench, scratch)
    if isinstance(found, Measured) and is_win(found.timing) and not bench.quick:
        # The best of many candidates is partly luck.
        bench.progress("time, confirming")
        found = measure(harness, file, bench, scratch)
    return found


def measure(harness: Harness, file: Path, bench: Bench, scratch: Path) -> Measured | Rejection:
    """Time the file against the harness's kernel on every timed workload, in one process and one session."""
    seed, names = secrets.randbits(30), [workload.name for workload in harness.contract.timed]
    answers = ask(bench, _time_request(harness, file, bench, seed), scratch)
    values: list[dict[str, Any]] = []
    for name, answer in zip(names, answers, strict=True):
        match answer:
            case Done(value={"failed": code, "text": text}):
                return verdict_of(code, f"{name}: {text}", "")
            case Done(value=value):
                values.append(value)
            case Failed(type=kind, text=text, log=log):
                return Wrong(reason=f"{name}: {kind}: {facts.first_line(text)}", codes=("exception",), log=log)
            case Lost(code=code, text=text, log=log):
                return verdict_of(code, f"{name}: {text}", log)
    timings = []
    for workload, value in zip(harness.contract.timed, values, strict=True):
        floor = floor_us(harness.contract, workload, bench.environment)
        timings.append(workload_timing(workload.name, workload.weight, value, floor_us=floor))
        if refused := _refused(workload.name, value, timings[-1]):
            return refused
    clocks = tuple(value["clock_mhz"] for value in values if value["clock_mhz"])
    return Measured(timing=combine(timings, seed=seed), clocks_mhz=clocks)


def _time_request(harness: Harness, file: Path, bench: Bench, seed: int) -> Request:
    folder, workloads = harness.folder.resolve(), harness.contract.timed
    ends = (workloads[0], workloads[-1])
    return Request(
        command="time",
        shared={
            "folder": str(folder),
            "entry": harness.entry,
            "candidate": str(file.resolve()),
            "blocks": QUICK_BLOCKS if bench.quick else BLOCKS,
            "seed": seed,
            "uuid": bench.environment.device_uuid,
            "clock": "graph",
        },
        items=tuple({"workload": workload.name, "ask_clock": workload in ends} for workload in workloads),
        limit_s=bench.limits_s["time"],
        harness=folder,
        gpu=True,
    )


def _refused(workload: str, value: dict[str, Any], found: WorkloadTiming) -> Rejection | None:
    if value["differs"]:
        return Wrong(reason=f"{workload}: {value['differs']}", codes=("mismatch",))
    if below_floor(found):
        median = statistics.median(found.candidate_us)
        reason = f"{workload}: {median:.2f} us is less than memory allows ({found.floor_us:.2f} us)"
        return Dishonest(reason=reason, codes=("not_run",))  # the work was not run
    return None


def workload_timing(
    name: str, weight: float, value: dict[str, Any], *, floor_us: float | None = None
) -> WorkloadTiming:
    """The record of what the worker measured."""
    return WorkloadTiming(
        workload=name,
        weight=weight,
        original_us=tuple(value["original_us"]),
        candidate_us=tuple(value["candidate_us"]),
        speedup=interval(value["original_us"], value["candidate_us"]),
        noise=interval(value["control_a_us"], value["control_b_us"]),
        eager=interval(value["eager_original_us"], value["eager_candidate_us"]),
        floor_us=floor_us,
    )
