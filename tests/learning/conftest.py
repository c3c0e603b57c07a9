"""Runs that an H200 measured, the harness of one of them, and verdicts made to order for what only reads them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kmaint import wire
from kmaint.folder import KERNEL, read_harness, sha256, split_regions, write_manifest
from kmaint.records.evaluation import (
    Candidate,
    Crashed,
    Dishonest,
    Environment,
    Evaluation,
    NotBuilt,
    Numerics,
    Passed,
    Plan,
    Profile,
    Rung,
    RungName,
    Slower,
    TimedOut,
    Verdict,
    Wrong,
)
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.records.timing import Interval, Timing

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "benchmarks" / "results" / "2026-11-21-h200"
CASE = ROOT / "tests" / "reintegrate" / "cases" / "merge_state"

H200 = Environment(
    device="NVIDIA H200",
    device_uuid="GPU-0",
    arch="sm_90",
    driver=None,
    python="3.12",
    torch="2.11.0",
    triton="3.6.0",
    cuda=None,
    platform="Linux on the machine build-7",
    multiprocessors=132,
    l2_bytes=None,
    memory_bandwidth_gbps=None,
)
PROFILE = Profile(bottleneck="memory", estimated=False, resources=(), roofline_fraction=0.5, next_step="wider loads")
EXACT = Numerics(kind="bit-exact", oracle=False, original_error=None, candidate_error=None, max_difference=0.0)

FAILURES: dict[str, tuple[Verdict, RungName]] = {
    "not_built": (NotBuilt(reason="num_warps=64 is too many", codes=("compile_error",)), "compile"),
    "hung_compiling": (TimedOut(reason="no answer within 60 s"), "compile"),
    "wrong": (Wrong(reason="0.5, not 0.25", codes=("mismatch",)), "interpreter"),
    "crashed": (Crashed(reason="ended by SIGSEGV", codes=("signal",)), "device"),
    "slower": (Slower(reason="1.00x (0.99 to 1.01) by a first look"), "look"),
    "dishonest": (Dishonest(reason="gives an earlier result", codes=("stale_result",)), "integrity"),
}


def evaluation(verdict: Verdict, failed: RungName | None = None, *, name: str = "a", **more: Any) -> Evaluation:
    """A verdict on a candidate of that name; `failed` is the rung that it ended on."""
    plan = Plan(bottleneck="memory", edit=more.get("edit", "num_warps=1"), why=more.get("why", "a test"))
    source = more.get("source", f"# {name}\n")
    candidate = Candidate(id=name, source=source, parent=more.get("parent"), plan=plan, provider="builtin")
    rungs = (Rung(name=failed or "profile", passed=failed is None, seconds=6.0),)
    return Evaluation(candidate=candidate, verdict=verdict, rungs=rungs, environment=H200)


def failed(kind: str, **more: Any) -> Evaluation:
    """One that the gate turned down in that way."""
    verdict, rung = FAILURES[kind]
    return evaluation(verdict, rung, **more)


def timed(low: float, ratio: float, high: float, *, win: bool, noise: float = 0.01, **more: Any) -> Evaluation:
    """One that passed, with that speedup."""
    timing = Timing(workloads=(), speedup=Interval(ratio=ratio, low=low, high=high), noise_floor=noise)
    return evaluation(Passed(numerics=EXACT, profile=PROFILE, timing=timing, win=win), **more)


def untimed(**more: Any) -> Evaluation:
    """One that passed where there is no GPU."""
    found = evaluation(Passed(numerics=EXACT, profile=PROFILE, timing=None, win=False), **more)
    return replace(found, environment=replace(H200, device=None))


def measured_runs() -> list[Run]:
    """All nine that were measured on the H200, in the order of their files."""
    return [wire.load(Run, json.loads(file.read_text())["run"]) for file in sorted(MEASURED.glob("*.json"))]


def measured_run() -> Run:
    """merge_state of SGLang 0.5.17: three candidates, all of them wins."""
    return wire.load(Run, json.loads((MEASURED / "sglang-merge-state-kernel.json").read_text())["run"])


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    """The harness that the measured run was made on: its record, and the kernel whose hashes it holds."""
    data = json.loads((MEASURED / "sglang-merge-state-kernel.json").read_text())["harness"]
    found = wire.load(Harness, {**data, "folder": tmp_path / "merge_state"})
    source = measured_run().evaluations[0].candidate.source
    shipped = split_regions((CASE / KERNEL).read_text())
    for region in found.regions:
        text = shipped[region.path, region.symbol]
        assert sha256(text) == region.sha256
        source = source.replace(split_regions(source)[region.path, region.symbol], text)
    found.folder.mkdir()
    write_manifest(found)
    (found.folder / KERNEL).write_text(source)
    return read_harness(found.folder)
