"""Runs one call of a kernel under NVIDIA's ncu, which counts what the hardware does in it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kmaint.child import Finished, talk
from kmaint.evaluate.bench import Bench, environment_of
from kmaint.evaluate.bench.running import Measuring
from kmaint.evaluate.rungs.metrics import asked_for, read_table
from kmaint.evaluate.rungs.toolkit import find_program
from kmaint.evaluate.workers.turns import Turns
from kmaint.expression import number
from kmaint.records.counters import Counters
from kmaint.records.harness import Harness
from kmaint.records.workload import Contract, Workload

PROGRAM = "ncu"
RUNNER = Path(__file__).parents[1] / "workers" / "counting.py"
MISSING = f"no {PROGRAM} on PATH, nor where CUDA is installed"

NOT_PERMITTED = "ERR_NVGPUCTRPERM"
"""What the driver says to who may not read counters."""
PERMIT = "options nvidia NVreg_RestrictProfilingToAdminUsers=0"
"""The line in /etc/modprobe.d that lets every user read them, from the next load of the driver on."""
REFUSED = "why no counters can be read here"
"""In a bench's `known`: it is asked once, and not for each candidate again."""

MOST_LAUNCHES = 32
"""Of one call: each is run once for every group of counters. Of a call that launches more, a part says nothing."""
OPTIONS: tuple[str, ...] = (
    "--csv",
    "--page=raw",
    f"--metrics={asked_for()}",
    "--print-units=base",
    "--print-fp",
    "--print-kernel-base=function",
    "--profile-from-start=off",
    "--target-processes=all",
    f"--launch-count={MOST_LAUNCHES + 1}",
    "--clock-control=none",
    # As a timed call finds them: its buffers rotate past the L2.
    "--cache-control=all",
)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """One run of the tool: the counters, or why there are none; `log` is all that it wrote.

    `device_s` is how long it had the GPU, beside others or alone, in vain or not; None where it was not run.
    """

    counters: Counters | None
    trouble: str = ""
    log: str = ""
    device_s: float | None = None


def count(harness: Harness, file: Path, bench: Bench, scratch: Path) -> Counted:
    """What is counted in one call of the candidate's file on the heaviest workload, with the GPU alone.

    For a machine with a GPU. Whatever goes wrong is said, and costs nobody a verdict.
    """
    workload, program = heaviest(harness.contract), find_program(PROGRAM)
    refused = MISSING if program is None else bench.known.get(REFUSED, "")
    if program is None or refused:
        return Counted(counters=None, trouble=str(refused))
    if workload is None:
        return Counted(counters=None, trouble="no workload is timed")
    counted = _run(program, harness, file, workload, bench, scratch)
    if NOT_PERMITTED in counted.log:
        bench.known[REFUSED] = counted.trouble
    return counted


def heaviest(contract: Contract) -> Workload | None:
    """The workload of the greatest weight, and of equals the one that moves most: a small one shows its launch."""

    def moved(workload: Workload) -> float:
        return number(contract.traffic, workload.axes) if contract.traffic else 0.0

    return max(contract.timed, key=lambda one: (one.weight, moved(one)), default=None)


def command(program: str, log: Path, runner: list[str | Path]) -> list[str | Path]:
    """The command line; the tool writes to `log` alone: nothing that measured code prints is taken for its table."""
    return [program, *OPTIONS, f"--log-file={log}", *runner]


def _run(program: str, harness: Harness, file: Path, workload: Workload, bench: Bench, scratch: Path) -> Counted:
    folder = harness.folder.resolve()
    runner: list[str | Path] = [bench.python, RUNNER, folder, file.resolve(), harness.entry, json.dumps(workload.axes)]
    environment = environment_of(folder, scratch, gpu=True, only=bench.gpu)
    with tempfile.TemporaryDirectory(prefix="kmaint-counters-") as apart:
        log = Path(apart) / "ncu.csv"
        finished, device_s = _watched(command(program, log, runner), environment, bench, scratch)
        said = log.read_text(errors="replace") if log.is_file() else ""
    kernels = read_table(said)
    whole = f"{said}\n{finished.stdout}\n{finished.stderr}".strip()
    trouble = _trouble(said, finished, bench.limits_s, launches=sum(one.launches for one in kernels))
    counters = None if trouble else Counters(workload=workload.name, kernels=kernels)
    return Counted(counters=counters, trouble=trouble, log=whole, device_s=device_s)


def _watched(
    words: Sequence[str | Path], environment: Mapping[str, str], bench: Bench, scratch: Path
) -> tuple[Finished, float]:
    """How the tool ended, and for how many seconds it had the GPU.

    Beside others from its start on: it lets one kernel after the other run, whoever launches it, so that who times has
    to wait for its end. Alone for the call that counts, which takes a fraction of what it takes to start.
    """
    waited_s: list[float] = []
    with Measuring(Turns(bench.turns), lambda _: {}, bench.stop) as measuring:

        def hear(line: str) -> str | None:
            if not line:  # the start, and no line of the runner's
                return None
            asked = time.monotonic()
            measuring({"ask": "run"})
            waited_s.append(time.monotonic() - asked)
            return "alone"

        measuring({"ask": "start"})
        limit_s = bench.limits_s["counters"]
        finished = talk(words, hear, timeout_s=limit_s, env=environment, cwd=scratch, stop=bench.stop)
    return finished, finished.seconds - sum(waited_s)


def _trouble(said: str, finished: Finished, limits_s: Mapping[str, float], *, launches: int) -> str:
    """Why what was counted is not to be relied on; empty where it is."""
    if NOT_PERMITTED in said + finished.stderr:
        return f"the driver lets only root read counters ({NOT_PERMITTED}); to let users: {PERMIT}"
    if finished.timed_out:
        return f"{PROGRAM}: no end within {limits_s['counters']:.0f} s"
    words = [line for line in said.splitlines() if line.startswith(("==ERROR==", "==WARNING=="))]
    last = (words or finished.stderr.strip().splitlines() or ["no output"])[-1]
    if finished.code:
        return f"{PROGRAM}: exit status {finished.code}: {last}"
    if launches > MOST_LAUNCHES:
        return f"a call launches more than {MOST_LAUNCHES} kernels"
    return "" if launches else f"{PROGRAM}: it counted no kernel: {last}"
