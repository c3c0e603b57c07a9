"""Several runs of a campaign beside one another, each on cores of its own; those on one GPU take turns as any others.

Left to themselves, eight runs on sixteen cores would each start as many threads as there are cores. Where there are
several GPUs, each run has one of them.
"""

from __future__ import annotations

import argparse
import os
import queue
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.campaign.running import Job, is_done, jobs
from kmaint.evaluate.bench import visible_gpus

PASSED_ON = ("minutes", "candidates", "device")


def run_all(options: argparse.Namespace) -> int:
    """As `run`, every job in a process of its own; exit status 1 where one failed. What each said is in OUT/logs."""
    left = [job for job in jobs(options) if not is_done(job)]
    gpus = [] if options.device == "none" else visible_gpus()
    shares: queue.SimpleQueue[Share] = queue.SimpleQueue()
    for share in shared(sorted(os.sched_getaffinity(0)), options.parallel, gpus):
        shares.put(share)
    (options.out / "logs").mkdir(parents=True, exist_ok=True)

    def take(job: Job) -> int:
        share, started = shares.get(), time.monotonic()
        log = options.out / "logs" / f"{job.name.replace(' ', '-')}.log"
        try:
            with log.open("w") as said:
                words = command(job, options, share.cores)
                code = subprocess.run(
                    words, stdout=said, stderr=said, check=False, env={**os.environ, **share.variables}
                ).returncode
        finally:
            shares.put(share)
        last = (log.read_text().strip().splitlines() or ["no word"])[-1]
        print(f"[{time.monotonic() - started:6.1f} s] {last}", flush=True)
        return code

    with ThreadPoolExecutor(options.parallel) as pool:
        return int(any(list(pool.map(take, left))))


@dataclass(frozen=True)
class Share:
    """What one run has for itself: cores, as `--cores` takes them, and variables that name its GPU."""

    cores: str
    variables: dict[str, str]


def shared(cores: list[int], parts: int, gpus: list[str]) -> list[Share]:
    """The machine in so many parts, the GPUs in turn; where there is no GPU, none is named."""
    return [
        Share(own, {"CUDA_VISIBLE_DEVICES": gpus[n % len(gpus)]} if gpus else {})
        for n, own in enumerate(split(cores, parts))
    ]


def split(cores: list[int], parts: int) -> list[str]:
    """The cores in so many parts, as `--cores` takes them; where there are fewer cores than parts, some share one."""
    return [",".join(map(str, cores[n::parts] or [cores[n % len(cores)]])) for n in range(parts)]


def command(job: Job, options: argparse.Namespace, cores: str) -> list[str]:
    """The same command for this one job."""
    words = [sys.executable, "-m", "benchmarks.campaign", "run", str(options.folder), str(options.out)]
    words += ["--only", job.harness.folder.name, "--provider", job.config.provider, "--cores", cores]
    for name in PASSED_ON:
        words += [f"--{name}", str(getattr(options, name))]
    if options.shipped:
        words += ["--shipped", *map(str, options.shipped)]
    return [*words, *(["--once"] if options.once else [])]
