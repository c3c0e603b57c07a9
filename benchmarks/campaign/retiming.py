"""Times what the campaign's runs found best once more, with the clock as it is now: no rung but `time`.

For when the clock itself was mended. A run keeps its verdicts and its first times; what is found here stands beside
them, and the table takes it, as the newest word of the clock that counts.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.campaign import recorded
from benchmarks.campaign.preparing import HARNESSES
from benchmarks.campaign.recorded import WAYS, Recorded, Retimed
from benchmarks.campaign.rows import interval
from benchmarks.campaign.shipping import NO_GPU
from benchmarks.campaign.verifying import carried_over, differing
from kmaint import evaluate, wire
from kmaint.console import Progress
from kmaint.errors import KmaintError
from kmaint.evaluate import Bench
from kmaint.evaluate.bench import laid_out
from kmaint.evaluate.rungs import facts
from kmaint.evaluate.rungs.facts import Built
from kmaint.evaluate.timing.confirming import confirmed
from kmaint.evaluate.timing.measuring import Measured, measure
from kmaint.folder import read_harness, write_manifest
from kmaint.records.harness import Harness
from kmaint.records.workload import Contract


@dataclasses.dataclass(frozen=True)
class Left:
    """A recorded run, the file it lies in below the folder of runs, and the harness as it is cut today."""

    found: Recorded
    path: Path
    harness: Harness


def retime(options: argparse.Namespace) -> int:
    """Writes each run of RUNS to OUT as it was, with its new times; exit status 1 where one has none.

    Several at a time: while one is measured, and has the GPU alone, others are compiled. None begins after the minutes.
    """
    over = time.monotonic() + 60.0 * options.minutes
    cold = evaluate.open_bench(device=options.device, progress=Progress())

    def take(one: Left) -> bool:
        if time.monotonic() > over:
            print(f"{one.path}: no time left", flush=True)
            return True
        retimed = measured(one, bench)
        recorded.write(options.out / one.path, dataclasses.replace(one.found, retimed=retimed))
        said = interval(retimed.timing.speedup) if retimed.timing else retimed.reason
        then = f" for {interval(one.found.timing.speedup)}" if one.found.timing else ""
        print(f"{one.path}: {said}{then}", flush=True)
        return retimed.timing is not None

    with evaluate.warmed(cold) as warm, ThreadPoolExecutor(options.parallel) as pool:
        bench = dataclasses.replace(warm, threads=max(1, warm.threads // options.parallel))
        return int(not all(list(pool.map(take, left(options)))))


def left(options: argparse.Namespace) -> Iterator[Left]:
    """Runs in which something was timed whose calls are short enough, and which OUT does not have yet."""
    for way in WAYS:
        for name, found in sorted(recorded.campaign(way, options.runs).items()):
            path = Path(name) / f"{way}.json"
            folder = options.folder / HARNESSES / name
            if options.only not in name or not folder.is_dir() or recorded.read(options.out / path):
                continue
            if found.timing and shortest_us(found) < options.below_us:
                yield Left(found, path, read_harness(folder.resolve()))


def shortest_us(found: Recorded) -> float:
    """Of the workloads of its best, the shortest time that the original has for a call."""
    assert found.timing is not None
    return min(min(one.original_us) for one in found.timing.workloads)


def measured(one: Left, bench: Bench) -> Retimed:
    """On the workloads of the record, confirmed as in the gate; a harness that is another today is a reason."""
    if bench.device == "none":
        return Retimed(reason=NO_GPU)
    if moved := differing(one.found.harness, wire.dump(one.harness)):
        return Retimed(reason=f"the release is not what the record says: {moved}")
    with tempfile.TemporaryDirectory(prefix="kmaint-retimed-") as scratch:
        folder = Path(shutil.copytree(one.harness.folder, Path(scratch) / one.harness.folder.name, symlinks=True))
        harness = dataclasses.replace(
            one.harness, folder=folder, contract=wire.load(Contract, one.found.harness["contract"])
        )
        write_manifest(harness)
        try:
            source = carried_over(one.found, harness.replaced.read_text())
            with laid_out(harness, source) as (place, file):
                facts.original_built(harness, bench, place)
                (built,) = facts.compile_all(harness, [file], bench, place)
                timed = partial(measure, harness, file, bench, place)
                found = confirmed(timed, bench) if isinstance(built, Built) else built
        except KmaintError as error:
            return Retimed(reason=" ".join(error.message.split()))
    if not isinstance(found, Measured):
        return Retimed(reason=f"{found.kind}: {' '.join(found.reason.split())}")
    return Retimed(timing=found.timing, first=found.first, environment=bench.environment)
