"""Which of a run's wins lands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import extract
import reintegrate
from kmaint import workflow
from kmaint.config import load_config
from kmaint.errors import UsageError
from kmaint.records.evaluation import Evaluation
from kmaint.records.run import Run
from kmaint.records.timing import Interval
from kmaint.store import Store
from kmaint.workflow.landing import _namesakes, _shown
from tests.landed import Landed
from tests.reintegrate.kinds.cuda.conftest import Landable
from tests.reports.conftest import H200, KEPT, WARPS, judged, passed, rungs, timing

SLOWER = timing(((4.11, 4.57, 0.9), (21.4, 23.8, 15.9), (101.3, 112.6, 84.1)), Interval(ratio=1.2, low=1.19, high=1.21))
"""Slower on each workload, whatever it says of all: nothing that a patch could carry."""


def uncarried(run: Run) -> Evaluation:
    found = judged(KEPT, passed(SLOWER, win=True), rungs("profile"), H200)
    assert run.best == found.candidate.id
    return found


def test_the_winner_lands_and_stays_it(landed: Landed) -> None:
    assert workflow.find_run(landed.run.id, landed.config).best == landed.run.best
    again = workflow.land(landed.run, Path(landed.landing.tree), landed.config, lambda _line: None)
    assert again == landed.landing


def test_where_no_patch_carries_the_winner_the_next_best_lands_and_the_run_is_for_it(
    won: Run, tree: Path, tmp_path: Path
) -> None:
    config, said = load_config(state=tmp_path / "state"), list[str]()
    run = replace(won, evaluations=(won.evaluations[0], uncarried(won)))
    with Store(config.state) as store:
        store.begin(run)
    landing = workflow.land(run, tree, config, said.append)
    assert any(line.startswith(f"{KEPT.id}: no kind of patch can carry this win") for line in said)
    found = workflow.find_run(run.id, config)
    assert (found.best, found.state) == (WARPS.id, "won")
    assert WARPS.plan.edit in Path(landing.patch_file).read_text()
    assert workflow.land(found, tree, config, said.append) == landing
    (win,) = workflow.all_wins(config)
    assert win.run == run.id


def test_without_another_the_reason_is_the_winner_s(won: Run, tree: Path, tmp_path: Path) -> None:
    config = load_config(state=tmp_path / "state")
    run = replace(won, evaluations=(uncarried(won),))
    with Store(config.state) as store:
        store.begin(run)
    with pytest.raises(UsageError, match="no kind of patch can carry this win"):
        workflow.land(run, tree, config, lambda _line: None)
    assert workflow.find_run(run.id, config).best == run.best


def test_a_guard_in_cuda_that_cannot_be_run_here_stays_what_was_not_run(
    landable: Callable[[str], Landable], tmp_path: Path
) -> None:
    """Without a GPU, and in an interpreter that has nothing to run it with."""
    one, said = landable("silu_and_mul"), list[str]()
    patch = reintegrate.choose(one.win, one.tree)
    assert (patch.kind, [check.state for check in patch.shown]) == ("guarded", ["not_run"])
    assert _shown(patch, one.win, load_config(device="none"), said.append) == patch
    assert not [line for line in said if "guard" in line]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    bare = load_config(python=tmp_path / "bare" / "bin" / "python")
    assert _shown(patch, one.win, bare, said.append) == patch
    assert said[-1].startswith("the guard is not run here: ")


def test_of_a_win_the_namesakes_of_its_kernel_are_kept(landed: Landed) -> None:
    (win,) = workflow.all_wins(landed.config)
    scan = extract.scan_tree(Path(landed.landing.tree))
    (kernel,) = [one for one in scan.kernels if one.id == win.kernel]
    beside = replace(kernel, path="sglang/elsewhere.py")
    assert win.namesakes == ()
    assert _namesakes(kernel, [kernel, beside]) == (beside.id,)
    assert _namesakes(None, scan.kernels) is None
