"""The road, in prose: `maintain` is all the other commands in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import extract
from kmaint import agent, folder
from kmaint.config import Config
from kmaint.records.change import Landing
from kmaint.records.harness import Extraction
from kmaint.records.kernel import Kernel, Scan
from kmaint.records.run import Run
from kmaint.workflow.extracting import extract_kernel
from kmaint.workflow.improving import optimize
from kmaint.workflow.landing import land
from kmaint.workflow.progress import Progress
from kmaint.workflow.reporting import write_reports
from kmaint.workflow.runs import find_run
from kmaint.workflow.testing import hold, write_tests

MOST_WORTH_IT = 3
"""How many kernels `maintain` takes up when none is named."""


@dataclass(frozen=True, kw_only=True)
class Maintained:
    """What became of one kernel: as far as it got, and the files that say so."""

    extraction: Extraction
    run: Run | None = None
    landing: Landing | None = None
    report: Path | None = None
    pull_request: Path | None = None


def maintain(tree: Path, kernels: Sequence[str], config: Config, progress: Progress) -> list[Maintained]:
    """Take each kernel from the tree to a branch with a patch, a report and a pull-request text.

    Resumable: what an earlier call with the same tree, kernel and settings finished is read back, not done again.
    """
    agent.check_settings(config)
    progress(f"scanning {tree}")
    scan = extract.scan_tree(tree)
    chosen = [extract.find_kernel(scan, text) for text in kernels] or most_worth_it(scan)
    return [maintain_kernel(tree, scan, kernel, config, progress) for kernel in chosen]


def maintain_kernel(tree: Path, scan: Scan, kernel: Kernel, config: Config, progress: Progress) -> Maintained:
    """One kernel down the whole road; it ends early, with its reason, where a stage says no."""
    progress(f"extracting {kernel.id}")
    into, sources = config.state / "harnesses", extract.Sources(tests=True)
    extraction = extract_kernel(
        tree, scan, extract.Wanted(kernel=kernel), into, config, sources=sources, progress=progress
    )
    if extraction.folder is None or extraction.state != "ready":
        return Maintained(extraction=extraction)
    harness = folder.read_harness(extraction.folder)
    suite = write_tests(harness, config, progress)
    progress(f"wrote {len(suite.properties)} properties with {suite.examples} examples to {suite.path}")
    parity = folder.read_parity(harness.folder) or hold(harness, config, progress, tree=tree)
    progress(f"parity: {parity.state} {parity.reason}".rstrip())
    if parity.refuses:
        return Maintained(extraction=replace(extraction, state="imports", reason=f"parity: {parity.reason}"))
    run = optimize(harness, config, progress)
    landing = land(run, tree, config, progress) if run.winner else None
    run = find_run(run.id, config)  # it may be for another of its wins by now
    report, pull_request = write_reports(run, config, landing)
    return Maintained(extraction=extraction, run=run, landing=landing, report=report, pull_request=pull_request)


def most_worth_it(scan: Scan, most: int | None = MOST_WORTH_IT) -> list[Kernel]:
    """Without a trace: the launched Triton kernels that kmaint knows how to call, those with most callers first."""
    framework = scan.release.framework
    launched = [k for k in scan.kernels if k.role == "kernel" and k.launchers and extract.is_catalogued(k, framework)]
    return sorted(launched, key=lambda k: (-sum(len(host.callers) for host in k.launchers), k.id))[:most]
