"""How many verdicts a minute: kmaint's gate on one GPU and on two, and KernelBench's evaluator on the same candidates.

    python -m benchmarks.throughput HARNESSES --kernelbench CHECKOUT [--gpus 1 2] [--cores 16] [--out FILE]

One command, without network. Makes labelled candidates (candidates.py), shuffles them once, and lets each evaluator
judge them in that order; each one's time starts with nothing running and ends with its last verdict. KernelBench's
evaluator runs as its own batch script runs it on one GPU: a process a candidate, five correctness trials, a hundred
timed ones; only that a process that dies is noticed at once. --seconds ends an evaluator's turn early, for a machine
that is lent by the minute: then the rate is that of what was judged. FILE holds every verdict beside its label.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import candidates as making
from benchmarks import kernelbench_wrap as wrapping
from kmaint import evaluate, wire
from kmaint.evaluate.bench import visible_gpus
from kmaint.evaluate.executors import RIVALS, ForTheBest, Local, Work
from kmaint.folder import read_harness, write_text
from kmaint.records.evaluation import Candidate, Evaluation, Passed, Plan
from kmaint.records.harness import Harness

LIMIT_S = 180.0
"""What KernelBench's batch script gives a candidate."""
SEED = 20261129

Rows = list[dict[str, str]]
Verdict = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """One evaluator's turn: verdicts by file, in the order they came, and the wall seconds until the last."""

    name: str
    verdicts: dict[str, Verdict]
    seconds: float

    @property
    def per_minute(self) -> float:
        return 60.0 * len(self.verdicts) / self.seconds


def kmaint_turn(folder: Path, rows: Rows, gpus: int, options: argparse.Namespace) -> Turn:
    """All harnesses at once, on the first `gpus` GPUs; the controls of each suite are run anew."""
    started, found = time.monotonic(), dict[str, Verdict]()
    over = started + options.seconds
    with _visible(gpus), _on_cores(options.cores * gpus), _benches(options) as benches:
        names = sorted({row["harness"] for row in rows})
        slots = Local(benches, jobs=options.jobs).jobs  # on each GPU
        each = max(1, round(slots / len(names)))

        def judge(name: str) -> None:
            gate = ForTheBest() if options.best else evaluate.check
            rivals = RIVALS if options.best else None
            executor = Local(benches, jobs=each, threads=1, judge=gate, rivals=rivals)
            own = [row for row in rows if row["harness"] == name]
            given = {row["file"]: _candidate(options.work / row["file"]) for row in own}
            by_id = {candidate.id: file for file, candidate in given.items()}
            work = Work(harness=read_harness(folder / name), candidates=tuple(given.values()))
            for evaluation in executor.judge(work):
                found[by_id[evaluation.candidate.id]] = _verdict(evaluation, started)
                _say(f"kmaint, {gpus} GPU: {len(found)} of {len(rows)}")
                if time.monotonic() > over:
                    return

        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(judge, names))
        where = f"{len(benches)} GPU" if benches[0].device == "cuda" else "no GPU"
        return Turn(
            f"kmaint{' --best' if options.best else ''}, {where}", found, max(one["at_s"] for one in found.values())
        )


@contextlib.contextmanager
def _visible(gpus: int) -> Iterator[None]:
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    if known := visible_gpus():
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(known[:gpus])
    try:
        yield
    finally:
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        if before is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = before


@contextlib.contextmanager
def _on_cores(count: int) -> Iterator[None]:
    """On so many of the processors that there are; on all where none are counted."""
    if not count:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _benches(options: argparse.Namespace) -> Iterator[list[evaluate.Bench]]:
    cold = evaluate.open_benches(device=options.device, progress=_trouble)
    with evaluate.warmed(cold[0]) as first:
        yield [first, *(dataclasses.replace(one, warm=first.warm, originals=first.originals) for one in cold[1:])]


def _trouble(text: str) -> None:
    """Of all that is told only what speaks against the figures: interpreters that are started anew each time."""
    if "no warm interpreter" in text:
        _say(text)


def _candidate(file: Path) -> Candidate:
    source = file.read_text()
    plan = Plan(bottleneck="unknown", edit="given", why=f"given as {file.name}")
    return Candidate(id=wire.digest(source), source=source, parent=None, plan=plan, provider="given")


def _verdict(evaluation: Evaluation, started: float) -> Verdict:
    verdict = evaluation.verdict
    passed = isinstance(verdict, Passed)
    speedup = verdict.timing.speedup.ratio if isinstance(verdict, Passed) and verdict.timing else None
    return {
        "accepted": passed,
        "verdict": verdict.kind,
        "reason": getattr(verdict, "reason", ""),
        "speedup": speedup,
        "win": getattr(verdict, "win", False),
        "rungs": {rung.name: round(rung.seconds, 3) for rung in evaluation.rungs},
        "at_s": round(time.monotonic() - started, 3),
    }


def kernelbench_turn(folder: Path, rows: Rows, options: argparse.Namespace, keep: Callable[[Turn], object]) -> Turn:
    """One candidate after the other on one GPU, each in a process of its own; what is there is kept after each."""
    started, found = time.monotonic(), dict[str, Verdict]()
    harnesses = {row["harness"]: read_harness(folder / row["harness"]) for row in rows}
    with _visible(1), _on_cores(options.cores):
        for row in rows:
            if time.monotonic() - started > options.kernelbench_seconds:
                break
            found[row["file"]] = _kernelbench(harnesses[row["harness"]], options.work / row["file"], options)
            found[row["file"]]["at_s"] = round(time.monotonic() - started, 3)
            keep(Turn("KernelBench, 1 GPU", found, time.monotonic() - started))
            _say(f"KernelBench: {len(found)} of {len(rows)}")
    return Turn("KernelBench, 1 GPU", found, time.monotonic() - started)


def _kernelbench(harness: Harness, file: Path, options: argparse.Namespace) -> Verdict:
    workload = wrapping.largest(harness)
    request = file.with_suffix(".kernelbench.json")
    request.write_text(
        json.dumps(
            {
                "reference": wrapping.reference(harness, workload),
                "candidate": wrapping.candidate(harness, file.read_text()),
                "precision": wrapping.precision(workload),
            }
        )
    )
    program = [sys.executable, str(Path(__file__).with_name("kernelbench_wrap.py")), options.kernelbench, str(request)]
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
    }
    try:
        ended = subprocess.run(program, capture_output=True, text=True, timeout=LIMIT_S, env=env, check=False)
    except subprocess.TimeoutExpired:
        return {"accepted": False, "verdict": "timed out"}
    said = [line for line in ended.stdout.splitlines() if line.startswith("ANSWER ")]
    if not said:
        return {"accepted": False, "verdict": f"ended with {ended.returncode}", "said": ended.stderr[-300:]}
    answer: Verdict = json.loads(said[-1].removeprefix("ANSWER "))
    verdict = "correct" if answer["correct"] else "incorrect" if answer["compiled"] else "not compiled"
    return {"accepted": answer["correct"], "verdict": verdict, **answer}


def summary(turns: Sequence[Turn], rows: Rows) -> dict[str, Any]:
    """Rates, and what each evaluator took for something else than its label says."""
    labels = {row["file"]: row for row in rows}
    found: dict[str, Any] = {}
    for turn in turns:
        judged = [(labels[file], verdict) for file, verdict in turn.verdicts.items()]
        taken = [(row, v) for row, v in judged if v["accepted"] and row["label"] != "right"]
        left = [v for _, v in judged if v["verdict"] == "slower"]
        refused = [(row, v) for row, v in judged if not v["accepted"] and row["label"] == "right" and v not in left]
        found[turn.name] = {
            "judged": len(judged),
            "seconds": round(turn.seconds, 2),
            "verdicts_per_minute": round(turn.per_minute, 2),
            "left_as_slower": len(left),
            "accepted_though_not_right": [f"{row['harness']}: {row['label']}: {row['what']}" for row, _ in taken],
            "refused_though_right": [
                f"{row['harness']}: {row['what']}: {v.get('reason', v['verdict'])}" for row, v in refused
            ],
        }
    return found


_LOCK = threading.Lock()


def _say(text: str) -> None:
    with _LOCK:
        print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("harnesses", type=Path)
    parser.add_argument("--kernelbench", help="a checkout of ScalingIntelligence/KernelBench; without it, not compared")
    parser.add_argument("--gpus", type=int, nargs="*", default=[1], help="run kmaint on so many, in turn")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--only", nargs="*", help="names of harness folders")
    parser.add_argument(
        "--best", action="store_true", help="judge as 'kmaint check --best' does, for the fastest alone"
    )
    parser.add_argument("--jobs", type=int, help="candidates at a time on each GPU")
    parser.add_argument("--cores", type=int, default=0, help="of each GPU  [default: all, whatever the GPUs]")
    parser.add_argument("--seconds", type=float, default=3600.0, help="of each of kmaint's turns")
    parser.add_argument("--kernelbench-seconds", type=float, default=3600.0, help="of KernelBench's turn")
    parser.add_argument("--device", choices=("auto", "cuda", "none"), default="cuda")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/throughput.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kmaint-throughput-", ignore_cleanup_errors=True) as name:
        options.work, folder = Path(name) / "candidates", Path(name) / "harnesses"
        left_out = shutil.ignore_patterns("__pycache__", ".hypothesis")
        shutil.copytree(options.harnesses, folder, symlinks=True, ignore=left_out)
        harnesses = [h for h in making.usable(folder) if not options.only or h.folder.name in options.only]
        rows = making.write(harnesses, options.work, options.count)
        random.Random(SEED).shuffle(rows)
        steps: list[Callable[[], Turn]] = [lambda n=n: kmaint_turn(folder, rows, n, options) for n in options.gpus]  # type: ignore[misc]
        turns: list[Turn] = []

        def kept(done: Sequence[Turn]) -> dict[str, Any]:
            report = {"summary": summary(done, rows), "seed": SEED, "candidates": rows}
            report["turns"] = [dataclasses.asdict(turn) for turn in done]
            write_text(options.out, json.dumps(report, indent=1) + "\n")
            return report

        if options.kernelbench and options.device != "none":
            steps.insert(1, lambda: kernelbench_turn(folder, rows, options, lambda turn: kept([*turns, turn])))
        for step in steps:
            turns.append(step())
            print(json.dumps(kept(turns)["summary"], indent=1), flush=True)


if __name__ == "__main__":
    main()
