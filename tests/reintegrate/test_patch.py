"""A winner's edits: from the harness of a real kernel, into the file it was cut from."""

import shutil
from pathlib import Path

import pytest

from extract.scan import scan_tree
from extract.slicing.direct_entry import entry_source
from extract.slicing.modules import Library
from extract.slicing.slicer import cut_alone, definition, write_code, write_description
from extract.tree import locate
from kmaint.errors import HarnessError, UsageError
from kmaint.folder import read_harness, sha256
from kmaint.records.change import Edit
from kmaint.records.harness import Harness
from reintegrate.patch import patch_of, splice, standing_at

CASE = Path(__file__).parent / "cases" / "merge_state"
TREE = Path(__file__).parents[1] / "cases" / "sglang-0.5.17"
PATH = "sglang/kernels/ops/attention/merge_state.py"
ORIGINAL = (TREE / PATH).read_text()
WINNER = (CASE / "winner.py").read_text()


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return read_harness(Path(shutil.copytree(CASE, tmp_path / "merge_state")))


def test_the_winner_becomes_an_edit_of_the_kernel_and_one_of_the_launcher(harness: Harness) -> None:
    patch = patch_of(harness, WINNER)
    assert [(edit.symbol, edit.line, edit.end_line) for edit in patch.edits] == [
        ("merge_state_kernel", 8, 63),
        ("merge_state_triton", 66, 96),
    ]
    assert patch.files == {PATH: sha256((TREE / PATH).read_bytes())}


def test_only_the_changed_lines_of_the_file_change(harness: Harness) -> None:
    after = splice(ORIGINAL, patch_of(harness, WINNER).edits)
    assert after == (
        ORIGINAL.replace(
            "    out_se = tl.exp(p_lse) + tl.exp(s_lse)\n",
            "    p_se = tl.exp(p_lse)\n    s_se = tl.exp(s_lse)\n    out_se = p_se + s_se\n",
        )
        .replace("tl.exp(p_lse) / out_se", "p_se / out_se")
        .replace("tl.exp(s_lse) / out_se", "s_se / out_se")
        .replace(
            "        output_lse is not None,\n    )", "        output_lse is not None,\n        num_warps=1,\n    )"
        )
    )


def test_line_endings_and_a_missing_last_newline_are_kept(harness: Harness) -> None:
    patch = patch_of(harness, WINNER)
    plain = splice(ORIGINAL, patch.edits)
    assert splice(ORIGINAL.replace("\n", "\r\n"), patch.edits) == plain.replace("\n", "\r\n")
    assert splice(ORIGINAL.removesuffix("\n"), patch.edits) == plain.removesuffix("\n")


def _refused(harness: Harness, source: str) -> str:
    with pytest.raises(UsageError) as refused:
        patch_of(harness, source)
    return str(refused.value)


def test_the_original_is_nothing_to_land(harness: Harness) -> None:
    assert _refused(harness, (CASE / "kernel.py").read_text()) == (
        "the candidate is merge_state_triton as it stands in the tree; there is nothing to land"
    )


def test_a_change_outside_the_regions_is_refused(harness: Harness) -> None:
    said = "; change only what stands between '# region' and '# endregion'"
    assert _refused(harness, WINNER.replace("import torch\n", "import os\nimport torch\n")) == (
        f"the candidate changes line 5 of kernel.py, outside its regions: 'import os'{said}"
    )
    assert _refused(harness, f"{WINNER}\nrun()\n") == (
        f"the candidate changes line {len(WINNER.splitlines()) + 2} of kernel.py, outside its regions: 'run()'{said}"
    )
    cut = WINNER.replace("import triton.language as tl\n", "")
    assert _refused(harness, cut).startswith(
        "the candidate changes line 9 of kernel.py, outside its regions: '# region"
    )


def test_a_name_that_nothing_binds_is_refused(harness: Harness) -> None:
    assert _refused(harness, WINNER.replace("p_se = tl.exp(p_lse)", "p_se = libdevice.exp(p_lse)")) == (
        f"{PATH}: the candidate's merge_state_kernel uses 'libdevice', which that file does not bind; "
        "use what the file imports already, or define it inside the region"
    )


def test_a_name_that_another_region_of_the_file_binds_may_be_used(harness: Harness) -> None:
    """A kernel of its own beside the one that it relieves, and the launcher that chooses."""
    beside = "# endregion\n"
    source = WINNER.replace(beside, "\n\ndef merge_state_warps(head_size):\n    return head_size // 32\n" + beside, 1)
    source = source.replace("num_warps=1", "num_warps=merge_state_warps(32)")
    assert "merge_state_warps" in source.partition(beside)[0]
    spliced = splice(ORIGINAL, patch_of(harness, source).edits)
    assert "num_warps=merge_state_warps(32)" in spliced
    assert "def merge_state_warps(head_size):" in spliced


def test_a_name_that_only_kernel_py_binds_is_refused_when_it_meets_the_file(harness: Harness) -> None:
    """shims.py and reduced imports bind names in kernel.py that the tree's file may lack."""
    kernel = harness.folder / "kernel.py"
    kernel.write_text(kernel.read_text().replace("import torch\n", "import torch\nimport shims\n"))
    source = WINNER.replace("import torch\n", "import torch\nimport shims\n").replace(
        "num_warps=1", "num_warps=shims.N"
    )
    with pytest.raises(UsageError) as refused:
        splice(ORIGINAL, patch_of(harness, source).edits)
    assert str(refused.value).startswith(f"{PATH}: the candidate's merge_state_triton uses 'shims', which that file")


def test_a_name_that_the_file_has_already_is_not_taken_again(harness: Harness) -> None:
    helper = "def merge_state_helper(x):\n    return x\n\n\ndef merge_state_triton("
    source = WINNER.replace("def merge_state_triton(", helper)
    patch = patch_of(harness, source)
    assert "merge_state_helper" in splice(ORIGINAL, patch.edits)
    with pytest.raises(UsageError) as refused:
        splice(f"{ORIGINAL}\n\nmerge_state_helper = None\n", patch.edits)
    assert str(refused.value) == (
        f"{PATH}: the candidate defines 'merge_state_helper', which that file has already; give it another name"
    )


def test_what_others_use_stays_defined(harness: Harness) -> None:
    renamed = WINNER.replace("def merge_state_triton(", "def merge_state_fast(")
    assert _refused(harness, renamed) == (
        f"{PATH}: the candidate no longer defines 'merge_state_triton'; keep it: the tree's other code uses it"
    )


def test_a_candidate_that_does_not_parse_is_refused(harness: Harness) -> None:
    assert _refused(harness, WINNER.replace("p_se = tl.exp(p_lse)", "p_se = = 1")).startswith(
        "the candidate does not parse: invalid syntax ("
    )


def test_a_kernel_py_that_was_edited_by_hand_is_no_longer_the_trees(harness: Harness) -> None:
    kernel = harness.folder / "kernel.py"
    kernel.write_text(kernel.read_text().replace("token_idx = tl.program_id(0)", "token_idx = tl.program_id(1)"))
    with pytest.raises(HarnessError) as refused:
        patch_of(harness, WINNER)
    assert str(refused.value) == f"{kernel}: merge_state_kernel is not what was cut from {PATH}; extract it again"


def test_a_span_that_moved_is_found_where_it_stands(harness: Harness) -> None:
    kernel = patch_of(harness, WINNER).edits[0]
    assert standing_at(ORIGINAL, kernel) == [8]
    assert standing_at(f"# one\n# two\n{ORIGINAL}", kernel) == [10]
    assert standing_at(ORIGINAL.replace("token_idx", "token"), kernel) == []


def test_a_span_that_is_not_the_one_extracted_is_refused() -> None:
    edit = Edit(path="a.py", symbol="f", line=1, end_line=1, before_sha256=sha256("f = 1\n"), after="f = 2\n")
    assert splice("f = 1\ng = 3", (edit,)) == "f = 2\ng = 3"
    with pytest.raises(UsageError) as refused:
        splice("f = 4\n", (edit,))
    assert str(refused.value) == "a.py: lines 1 to 1 are not the f that was extracted; extract it again"


IN_A_CLASS = """
import triton
import triton.language as tl
class Layer:
    @staticmethod
    @triton.jit
    def kernel(x):
        # where it is

        at = tl.program_id(0)
        tl.store(x + at, 1)
"""
IN_A_FUNCTION = """
def launch(x):
    import triton
    import triton.language as tl
    @triton.jit
    def kernel(x):
        at = tl.program_id(0)
        tl.store(x + at, 1)

    kernel[(1,)](x)
"""


@pytest.mark.parametrize("text", [IN_A_CLASS, IN_A_FUNCTION])
def test_a_kernel_that_was_lifted_goes_back_where_it_stood(tmp_path: Path, text: str) -> None:
    tree, folder = tmp_path / "tree", tmp_path / "harness"
    (tree / "vllm").mkdir(parents=True)
    folder.mkdir()
    (tree / "vllm/__init__.py").touch()
    (tree / "vllm/a.py").write_text(text)
    scan = scan_tree(tree)
    cut = cut_alone(Library(locate(tree)), scan.kernels[0], "")
    write_code(folder, scan, cut, entry_source(definition(cut)))
    harness = write_description(folder, scan, cut, None)
    source = (folder / "kernel.py").read_text()
    patch = patch_of(harness, source.replace("x + at, 1)", "at + x, 1)"))
    assert splice(text, patch.edits) == text.replace("x + at, 1)", "at + x, 1)")
    assert "reads" in _refused(harness, source.replace("x + at, 1)", "x + reads, 1)"))
