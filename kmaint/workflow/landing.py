"""A run to a branch, and to the ledger."""

from __future__ import annotations

import json
from pathlib import Path

import extract
import reintegrate
from kmaint import folder, wire
from kmaint.config import Config
from kmaint.errors import UsageError
from kmaint.records.change import Landing
from kmaint.records.harness import Harness
from kmaint.records.kernel import Kernel
from kmaint.records.run import Run
from kmaint.workflow.keeping import accept
from kmaint.workflow.progress import Progress
from kmaint.workflow.runs import run_folder

LANDING = "landing.json"


def land(run: Run, tree: Path, config: Config, progress: Progress, *, branch: str | None = None) -> Landing:
    """The winner of a run as one commit on a branch of the tree; what an earlier call landed is read back."""
    if run.winner is None:
        raise UsageError(
            f"run {run.id} has no winner ({run.state}), so nothing to land", f"see 'kmaint report {run.id}'"
        )
    earlier = earlier_landing(run, config)
    if (
        earlier
        and branch in (None, earlier.branch)
        and Path(earlier.tree) == tree.resolve()
        and reintegrate.stands(earlier)
    ):
        return earlier
    harness = folder.read_harness(Path(run.harness))
    kernel = _in_tree(harness, tree, progress)
    win = reintegrate.Win(harness=harness, evaluation=run.winner, kernel=kernel, python=config.python)
    patch = reintegrate.choose(win, tree)
    progress(f"{patch.kind}: {patch.reason}")
    patch = reintegrate.with_companions(patch, harness, tree, benchmarks=kernel.benchmarks if kernel else ())
    landing = reintegrate.land(
        patch,
        tree,
        branch=branch or f"kmaint/{run.id}",
        message=reintegrate.commit_message(run, harness),
        into=run_folder(run, config),
        rules=reintegrate.Rules(tests=kernel.tests if kernel else (), python=config.python),
    )
    progress(f"landed on {landing.branch}: {landing.stat}")
    folder.write_text(run_folder(run, config) / LANDING, wire.text(landing, indent=1))
    if accepted := accept(run, harness, patch, landing, config):
        progress(f"accepted into the ledger as {accepted.id}")
    return landing


def _in_tree(harness: Harness, tree: Path, progress: Progress) -> Kernel | None:
    """What a scan of the tree says of the kernel: who calls it, which tests reach it; None where it is gone."""
    progress(f"scanning {tree} for who calls {harness.kernel}, and which of its tests reach it")
    return next((kernel for kernel in extract.scan_tree(tree).kernels if kernel.id == harness.id), None)


def earlier_landing(run: Run, config: Config) -> Landing | None:
    """What `land` wrote down for this run, if it did."""
    kept = run_folder(run, config) / LANDING
    return wire.load(Landing, json.loads(kept.read_text())) if kept.is_file() else None
