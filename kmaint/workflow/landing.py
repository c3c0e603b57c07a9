"""A run to a branch, and to the ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import extract
import reintegrate
from kmaint import agent, evaluate, folder, wire
from kmaint.config import Config
from kmaint.errors import HarnessError, MissingError, UsageError
from kmaint.records.change import Landing, Patch
from kmaint.records.kernel import Kernel
from kmaint.records.run import Run
from kmaint.store import Store
from kmaint.workflow.keeping import accept
from kmaint.workflow.progress import Progress
from kmaint.workflow.runs import run_folder

LANDING = "landing.json"


def land(run: Run, tree: Path, config: Config, progress: Progress, *, branch: str | None = None) -> Landing:
    """The winner of a run as one commit on a branch of the tree; what an earlier call landed is read back.

    Where no kind of patch carries the winner, the next best win is taken, and the run is for that one from then on.
    """
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
    progress(f"scanning {tree} for who calls {harness.kernel}, and which of its tests reach it")
    known = extract.scan_tree(tree).kernels
    kernel = next((one for one in known if one.id == harness.id), None)
    win = reintegrate.Win(harness=harness, evaluation=run.winner, kernel=kernel, python=config.python)
    run, patch = _carried(run, tree, win, config, progress)
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
    if accepted := accept(run, patch, landing, config, namesakes=_namesakes(kernel, known)):
        progress(f"accepted into the ledger as {accepted.id}")
    return landing


def _namesakes(kernel: Kernel | None, known: Sequence[Kernel]) -> tuple[str, ...] | None:
    """Ids of the other kernels of its name that are known; None where the kernel is not."""
    if kernel is None:
        return None
    return tuple(one.id for one in known if one.name == kernel.name and one.id != kernel.id)


def _carried(run: Run, tree: Path, win: reintegrate.Win, config: Config, progress: Progress) -> tuple[Run, Patch]:
    """The run with the best of its wins that a patch can carry, and that. UsageError, as of the winner, without one."""
    refused: UsageError | None = None
    others = [one for one in agent.ranked(run.evaluations) if one.candidate.id != run.best]
    for one in (win.evaluation, *others):
        try:
            other = replace(win, evaluation=one)
            patch = _shown(reintegrate.choose(other, tree), other, config, progress)
        except UsageError as error:
            progress(f"{one.candidate.id}: {error.message}")
            refused = refused or error
            continue
        if one.candidate.id == run.best:
            return run, patch
        with Store(config.state) as store:
            return store.finish(run.id, run.state, one.candidate.id), patch
    assert refused is not None
    raise refused


def _shown(patch: Patch, win: reintegrate.Win, config: Config, progress: Progress) -> Patch:
    """With what only a GPU shows: that a guard in CUDA C++ leaves to the shipped code what is not the variant's.

    UsageError where it does not. Nothing is added where there is no such guard, no GPU of the architecture that the
    guard names, or nothing to build the file with.
    """
    if patch.kind != "guarded" or win.harness.language != "cuda":
        return patch
    try:
        bench = evaluate.open_bench(config.python, device=config.device, progress=progress)
        if bench.device == "none" or bench.environment.arch != win.evaluation.environment.arch:
            return patch
        progress("building the file as it lands, to run it on both sides of its guard")
        check = evaluate.outside_as_shipped(win.harness, reintegrate.trap(win, patch), bench)
    except (MissingError, HarnessError) as error:
        progress(f"the guard is not run here: {error.message}")
        return patch
    if check.state == "failed":
        raise UsageError(f"the guard of {win.harness.entry} does not hold: {check.detail}", "land it by hand")
    return replace(patch, shown=(check,))


def earlier_landing(run: Run, config: Config) -> Landing | None:
    """What `land` wrote down for this run, if it did."""
    kept = run_folder(run, config) / LANDING
    return wire.load(Landing, json.loads(kept.read_text())) if kept.is_file() else None
