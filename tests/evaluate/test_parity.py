from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path

import pytest

from kmaint.errors import UsageError
from kmaint.evaluate import Bench, hold
from kmaint.evaluate.parity import _paced, _parity, module_of, own_entry, ways_to
from kmaint.evaluate.timing.measuring import workload_timing
from kmaint.evaluate.timing.ratios import combine
from kmaint.folder import read_parity, write_parity
from kmaint.records.harness import Harness

TREE = Path(__file__).parents[1] / "cases" / "sglang-0.5.17"


@pytest.fixture
def traced(harness: Harness, tmp_path: Path) -> tuple[Harness, Path]:
    """The harness with a copy of the tree it was cut from, its provenance naming that copy's content."""
    tree = Path(shutil.copytree(TREE, tmp_path / "tree"))
    return _with_digest(harness, tree), tree


def _with_digest(harness: Harness, tree: Path) -> Harness:
    origin = harness.provenance
    digest = hashlib.sha256((tree / origin.path).read_bytes()).hexdigest()
    files = {**origin.files, origin.path: digest}
    return dataclasses.replace(harness, provenance=dataclasses.replace(origin, files=files))


def test_a_harness_holds_against_the_file_it_was_cut_from(traced: tuple[Harness, Path], bench: Bench) -> None:
    harness, tree = traced
    found = hold(harness, bench, tree=tree)
    assert (found.state, found.reason, found.shipped) == ("holds", "", harness.provenance.path)
    assert found.paces == ()  # no GPU
    assert not found.refuses
    write_parity(harness.folder, found)
    assert read_parity(harness.folder) == found


def test_a_shipped_op_with_other_results_differs(traced: tuple[Harness, Path], bench: Bench) -> None:
    harness, tree = traced
    file = tree / harness.provenance.path
    before = file.read_text()
    sum_ = "out = p_out * p_scale + s_out * s_scale"
    assert before.count(sum_) == 1
    file.write_text(before.replace(sum_, f"{sum_} * 1.1"))
    found = hold(_with_digest(harness, tree), bench, tree=tree)
    assert found.state == "differs"
    assert found.refuses
    assert "elements differ" in found.reason


def test_a_file_that_moved_on_since_extraction_is_not_compared(traced: tuple[Harness, Path], bench: Bench) -> None:
    harness, tree = traced
    with (tree / harness.provenance.path).open("a") as file:
        file.write("# one more line\n")
    found = hold(harness, bench, tree=tree)
    assert found.state == "not_run"
    assert found.reason == (
        "sglang.kernels.ops.attention.merge_state: ModuleNotFoundError: No module named 'sglang'; "
        f"sglang/kernels/ops/attention/merge_state.py: ImportError: {tree / harness.provenance.path} "
        "is not the file the harness was cut from"
    )
    assert not found.refuses


def test_a_record_of_other_content_is_not_read(harness: Harness, bench: Bench, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(harness.folder, tmp_path / "harness"))
    moved = dataclasses.replace(harness, folder=folder)
    write_parity(folder, _parity(moved, bench, "holds", ""))
    assert read_parity(folder) is not None
    with (folder / "kernel.py").open("a") as file:
        file.write("# changed\n")
    assert read_parity(folder) is None


@pytest.mark.parametrize(("harness_us", "state"), [(10.2, "holds"), (10.4, "unlike_speed"), (9.6, "unlike_speed")])
def test_three_percent_either_way(harness: Harness, bench: Bench, harness_us: float, state: str) -> None:
    samples = {"original_us": [harness_us] * 3, "candidate_us": [10.0] * 3}
    control = {"control_a_us": [10.0] * 3, "control_b_us": [10.0] * 3}
    eager = {"eager_original_us": [10.0] * 3, "eager_candidate_us": [10.0] * 3}
    timing = combine([workload_timing("T4", 1.0, {**samples, **control, **eager})])
    found = _paced(_parity(harness, bench, "holds", ""), timing)
    assert found.state == state
    assert found.paces[0].ratio.ratio == pytest.approx(harness_us / 10.0)
    if state != "holds":
        assert found.reason == f"T4: the harness takes {harness_us / 10.0:.2f} times as long as the shipped op"


def test_a_repository_keeps_its_package_in_a_folder() -> None:
    assert module_of("python/sglang/srt/layers/x.py") == "sglang.srt.layers.x"
    assert module_of("vllm/v1/ops/__init__.py") == "vllm.v1.ops"


def test_an_installed_framework_comes_before_the_tree(traced: tuple[Harness, Path]) -> None:
    harness, tree = traced
    names = [shipped.name for shipped in ways_to(harness, [], tree)]
    assert names == ["sglang.kernels.ops.attention.merge_state", "sglang/kernels/ops/attention/merge_state.py"]
    assert own_entry(harness) == ""  # the launcher is the framework's own


def test_a_tree_without_the_file_is_no_tree_to_compare_with(harness: Harness, bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{tmp_path}: no {harness.provenance.path} in it; give a tree of "):
        hold(harness, bench, tree=tmp_path)


def test_of_cuda_there_is_nothing_to_import(cuda_harness: Harness, bench: Bench) -> None:
    found = hold(cuda_harness, bench)
    assert (found.state, found.reason) == ("not_run", "CUDA C++ is no module that could be imported")
    assert not found.refuses
