"""Launch parameters that win, as rows of the table that the framework itself looks up."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.errors import UsageError
from kmaint.records.change import Patch
from kmaint.records.harness import Harness
from reintegrate.kinds.config import config_patch
from reintegrate.kinds.win import Declined, Win
from tests.reintegrate.wins import evaluation

TREE = Path(__file__).parents[1] / "cases" / "tables"
FOLDER = "vllm/model_executor/layers/quantization/utils/configs"
SMALL_BLOCKS = (
    '    """Launch `',
    "    BLOCK_SIZE_M, num_warps = (16, 8) if M < 4096 else (64, 4)\n"
    '    grid = (-(-M // BLOCK_SIZE_M) * -(-N // BLOCK_SIZE_N),)\n    """Launch `',
)
SHIPPED = {
    "BLOCK_SIZE_M": 64,
    "BLOCK_SIZE_N": 128,
    "BLOCK_SIZE_K": 128,
    "GROUP_SIZE_M": 32,
    "num_warps": 4,
    "num_stages": 2,
}


@pytest.fixture
def harness(harness_of: Callable[[str], Harness]) -> Harness:
    return harness_of("block_fp8")


def win(harness: Harness, edit: tuple[str, str] = SMALL_BLOCKS, **ratios: float) -> Win:
    source = (harness.folder / "kernel.py").read_text().replace(*edit)
    measured = ratios or {"M8": 1.3, "M64": 1.2, "M4096": 1.0}
    return Win(harness=harness, evaluation=evaluation(source, measured), python=Path(sys.executable))


def test_rows_of_a_table_that_vllm_has_not_yet(harness: Harness) -> None:
    """Sizes that were not measured, or on which it does not win, keep what serves them today."""
    patch = config_patch(win(harness), TREE)
    assert isinstance(patch, Patch)
    assert (patch.kind, patch.edits, patch.files) == ("config", (), {})
    [file] = patch.new
    assert file.path == f"{FOLDER}/N=576,K=7168,device_name=NVIDIA_H200,dtype=fp8_w8a8,block_shape=[128,128].json"
    rows = json.loads(file.text)
    won = {**SHIPPED, "BLOCK_SIZE_M": 16, "num_warps": 8}
    beside = json.loads(next((TREE / FOLDER).glob("*.json")).read_text())
    assert rows == {size: won if size in ("8", "64") else SHIPPED for size in beside}
    assert file.text == json.dumps(rows, indent=4) + "\n"
    [check] = patch.shown
    assert (check.state, check.detail) == (
        "passed",
        "run from vllm/model_executor/layers/quantization/utils/fp8_utils.py for NVIDIA H200 and triton 3.6.0: "
        "2 measured sizes get the winner's parameters",
    )


def test_a_table_that_serves_something_else_stops_the_road(harness: Harness) -> None:
    """The harness launches with the default: against a tuned row that is no measurement."""
    contract = harness.contract
    axes = {"stride_cm": 2048, "stride_bn": 512, "Bs_0": 16, "stride_Bs_n": 4}
    other = replace(contract.workloads[0], axes={**contract.workloads[0].axes, **axes})
    path = harness.folder / "workloads.json"
    data = json.loads(path.read_text())
    data["workloads"][0]["axes"] = other.axes
    path.write_text(json.dumps(data))
    with pytest.raises(
        UsageError, match=r"serves size 8 with \{.*\}, but the win was measured against \{'BLOCK_SIZE_M'"
    ):
        config_patch(win(replace(harness, contract=replace(contract, workloads=(other,))), M8=1.3), TREE)


def test_what_changes_the_kernel_is_no_matter_of_a_table(harness: Harness) -> None:
    declined = config_patch(win(harness, ("accumulator = tl.zeros", "accumulator = 0.0 + tl.zeros")), TREE)
    assert declined == Declined("it changes _w8a8_triton_block_scaled_mm itself, not only how it is launched")


@pytest.mark.slow
def test_what_gives_the_kernel_other_arguments_is_no_matter_of_a_table(harness: Harness) -> None:
    declined = config_patch(win(harness, ("        group_k=group_k,", "        group_k=64,")), TREE)
    assert declined == Declined("on M8 it gives the kernel another group_k, which no table holds")


def test_without_a_device_there_is_no_row(harness: Harness) -> None:
    untimed = replace(win(harness), evaluation=evaluation("", None))
    assert config_patch(untimed, TREE) == Declined("a row of a table is for one device, and it was timed on none")


def test_a_tree_without_the_reader_has_no_table(harness: Harness, tmp_path: Path) -> None:
    declined = config_patch(win(harness), tmp_path)
    assert isinstance(declined, Declined)
    assert declined.reason.endswith("fp8_utils.py, which reads its table, is not in the tree")
