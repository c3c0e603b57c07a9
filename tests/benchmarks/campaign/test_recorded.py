"""What is written of a run names no folder of the machine that it ran on."""

import site
from dataclasses import replace
from pathlib import Path

from benchmarks.campaign import recorded
from benchmarks.campaign.kernels import HOME, ROOT
from benchmarks.campaign.recorded import Outcome, Recorded, Verified
from kmaint.records.evaluation import Wrong

LATE = "sglang-log-softmax-kernel"
"""Builtin's first run of it had its minutes used up by other runs on the GPU."""


def test_a_log_keeps_its_files_and_loses_their_folders(mrope: Recorded, tmp_path: Path) -> None:
    log = f"{ROOT}/kmaint/evaluate/worker.py:7: in run\n{site.getsitepackages()[0]}/hypothesis/core.py:1: in go"
    first, *others = mrope.run.evaluations
    failed = replace(first, verdict=Wrong(reason="differs", codes=("mismatch",), log=log))
    recorded.write(tmp_path / "run.json", replace(mrope, run=replace(mrope.run, evaluations=(failed, *others))))
    text = (tmp_path / "run.json").read_text()
    assert str(ROOT) not in text and site.getsitepackages()[0] not in text
    found = recorded.read(tmp_path / "run.json")
    assert found is not None
    assert found.run.evaluations[0].verdict == Wrong(
        reason="differs",
        codes=("mismatch",),
        log="kmaint/evaluate/worker.py:7: in run\nhypothesis/core.py:1: in go",
    )


def test_nothing_that_is_recorded_names_such_a_folder() -> None:
    for path in HOME.glob("*/*.json"):
        assert "site-packages/" not in path.read_text(), path


def test_what_the_candidates_at_hand_cost_is_recorded_as_unknown_and_builtin_as_nothing() -> None:
    runs = [found for path in sorted(HOME.glob("*/*.json")) if (found := recorded.read(path)) and found.spent]
    costs = {(one.run.provider, one.spent.usage.cost_usd) for one in runs if one.spent}
    assert costs == {("scripted", None), ("handoff", None), ("builtin", 0.0)}


def test_a_run_out_of_time_is_told_from_one_in_which_nothing_looked_faster() -> None:
    late = recorded.read(HOME / LATE / "builtin-before.json")
    level = recorded.read(HOME / "vllm-causal-conv1d-update-kernel" / "builtin.json")
    assert late and level and not late.run.evaluations and not level.run.evaluations
    assert (late.undecided, late.failure) == (True, "out of time before a verdict; 3.61x by a rough look")
    assert (level.undecided, level.failure) == (False, "no variant looked faster")


def test_what_became_of_a_record_is_read_again_and_a_later_outcome_takes_its_place(
    mrope: Recorded, tmp_path: Path
) -> None:
    for said in ("first", "second"):
        outcome = Outcome(holds=True, said=said, evaluation=mrope.best)
        recorded.write_verified(tmp_path, Verified(run=mrope.run.id, folder=mrope.folder, outcome=outcome))
    (found,) = recorded.read_verified(tmp_path)
    assert (found.run, found.folder) == (mrope.run.id, mrope.folder)
    assert found.outcome == Outcome(holds=True, said="second", evaluation=mrope.best)
