"""A winner in CUDA C++ becomes edits of the lines that it changes, and lands as such."""

from pathlib import Path

import pytest

from kmaint.errors import HarnessError, UsageError
from kmaint.folder import sha256
from kmaint.records.change import Patch
from kmaint.records.harness import Harness, Provenance
from kmaint.records.workload import Contract
from reintegrate.kinds.cuda.edit import edit_patch
from reintegrate.kinds.win import Win
from reintegrate.patch import splice
from tests.reintegrate.wins import evaluation

CASES = Path(__file__).parents[3] / "extract" / "cuda" / "cases" / "sglang"
PATH = "sglang/kernels/jit/csrc/elementwise/clamp_position.cuh"
ORIGINAL = (CASES / PATH).read_text()


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    (tmp_path / "kernel.cuh").write_text(ORIGINAL)
    origin = Provenance(
        framework="sglang",
        path=PATH,
        symbol="clamp_position_kernel",
        line=1,
        end_line=1,
        licence="Apache-2.0",
        files={PATH: sha256(ORIGINAL)},
    )
    return Harness(
        folder=tmp_path,
        kernel="clamp_position_kernel",
        entry="clamp_position",
        language="cuda",
        op="sglang.clamp_position",
        compute="kernel",
        provenance=origin,
        regions=(),
        stubs=(),
        contract=Contract(axes=(), arguments=()),
        oracle=False,
    )


def test_each_group_of_changed_lines_is_an_edit(harness: Harness) -> None:
    lines = ORIGINAL.splitlines(keepends=True)
    changed = ["// first\n", *lines[:10], lines[10].replace("\n", "  // here\n"), *lines[11:], "// last\n"]
    patch = edit_patch(Win(harness=harness, evaluation=evaluation("".join(changed), {"T": 1.2})))
    assert isinstance(patch, Patch)
    assert [(edit.line, edit.end_line) for edit in patch.edits] == [(1, 1), (11, 11), (len(lines), len(lines))]
    assert splice(ORIGINAL, patch.edits) == "".join(changed)


def test_a_winner_that_is_the_original_is_refused(harness: Harness) -> None:
    with pytest.raises(UsageError, match="is clamp_position_kernel as it stands in the tree; there is nothing to land"):
        edit_patch(Win(harness=harness, evaluation=evaluation(ORIGINAL, {"T": 1.2})))


def test_a_file_that_was_edited_by_hand_is_not_the_trees(harness: Harness) -> None:
    (harness.folder / "kernel.cuh").write_text(f"{ORIGINAL}\n")
    with pytest.raises(HarnessError, match=f"its CUDA source is not {PATH} any more; extract it again"):
        edit_patch(Win(harness=harness, evaluation=evaluation(ORIGINAL, {"T": 1.2})))
