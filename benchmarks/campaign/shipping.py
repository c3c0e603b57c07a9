"""Times a kernel against the operator that serving runs instead of the one it was cut from: by the gate's own clock."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.campaign.kernels import Entry
from kmaint import evaluate
from kmaint.config import Config
from kmaint.console import Progress
from kmaint.errors import KmaintError
from kmaint.evaluate.bench import scratch_with
from kmaint.evaluate.timing.confirming import confirmed
from kmaint.evaluate.timing.measuring import Measured, measure
from kmaint.evaluate.timing.ratios import is_win
from kmaint.folder import KERNEL
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.records.timing import Timing
from kmaint.sandbox import NO_WALLS

LIMITS_S = {"time": 180.0, "call": 180.0}
"""Importing a framework takes half a minute, and SGLang compiles an operator at its first call."""

NO_GPU = "there was no GPU"

FOUND = """\
import sys
from importlib.metadata import version

sys.path[:0] = {folders!r}
if version({name!r}) != {wanted!r}:
    raise ImportError(f"{name} is {{version({name!r})}}, not {wanted}")
"""
"""A kernel.py whose entry is the operator itself. It has to be of the release that the harness was cut from."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Against:
    """What came of it: the operator's time over the kernel's, or why there is none."""

    timing: Timing | None = None
    reason: str = ""
    first: Timing | None = None
    """What looked like a win, where `timing` was to confirm it."""

    @property
    def won(self) -> bool:
        return self.timing is not None and is_win(self.timing)


def contender(run: Run, harness: Harness) -> str:
    """What stands against the operator: the run's winner, else the extracted kernel."""
    return run.winner.candidate.source if run.winner else harness.replaced.read_text()


def against_shipped(entry: Entry, harness: Harness, source: str, paths: Sequence[Path], config: Config) -> Against:
    """The source on the harness's workloads, with the shipped operator as what it is compared with.

    Its outputs are judged by those of the operator, and a win is measured a second time in new processes. An operator
    that cannot be had or called here is a reason, and no error: nothing else is lost by it.
    """
    if not entry.call:
        return Against(reason="kernels.toml does not say how it is called")
    try:
        return _compared(entry, harness, source, paths, config)
    except KmaintError as error:
        return Against(reason=" ".join(error.message.split()))


def _compared(entry: Entry, harness: Harness, source: str, paths: Sequence[Path], config: Config) -> Against:
    bench = evaluate.open_bench(config.python, device=config.device, progress=Progress(), limits_s=LIMITS_S)
    bench = dataclasses.replace(bench, walls=NO_WALLS)  # the operator is imported from wherever its packages lie
    if bench.device == "none":
        return Against(reason=NO_GPU)
    with tempfile.TemporaryDirectory(prefix="kmaint-shipped-") as scratch:
        folder = Path(shutil.copytree(harness.folder, Path(scratch) / harness.folder.name, symlinks=True))
        (folder / KERNEL).write_text(source_of(entry, paths))
        shipped = dataclasses.replace(harness, folder=folder)
        with scratch_with(source) as (place, file):
            found = confirmed(partial(measure, shipped, file, bench, place), bench)
    if not isinstance(found, Measured):
        return Against(reason=f"{found.kind}: {' '.join(found.reason.split())}")
    return Against(timing=found.timing, first=found.first)


def source_of(entry: Entry, paths: Sequence[Path]) -> str:
    """A kernel.py that takes the operator from the paths, else from where the interpreter has it."""
    name, _, wanted = entry.package.partition("==")
    head = FOUND.format(folders=[str(path.resolve()) for path in paths], name=name, wanted=wanted)
    return f"{head}\n{entry.call}"
