"""A run to a branch, and to the ledger."""

from __future__ import annotations

import json
from pathlib import Path

import reintegrate
from kmaint import folder, wire
from kmaint.config import Config
from kmaint.errors import UsageError
from kmaint.records.change import Landing
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
    patch = reintegrate.patch_of(harness, run.winner.candidate.source)
    message = reintegrate.commit_message(run, harness)
    landing = reintegrate.land(
        patch, tree, branch=branch or f"kmaint/{run.id}", message=message, into=run_folder(run, config)
    )
    progress(f"landed on {landing.branch}: {landing.stat}")
    folder.write_text(run_folder(run, config) / LANDING, wire.text(landing, indent=1))
    if win := accept(run, harness, patch, landing, config):
        progress(f"accepted into the ledger as {win.id}")
    return landing


def earlier_landing(run: Run, config: Config) -> Landing | None:
    """What `land` wrote down for this run, if it did."""
    kept = run_folder(run, config) / LANDING
    return wire.load(Landing, json.loads(kept.read_text())) if kept.is_file() else None
