"""A win carried to another upstream: merged where both changes fit, and a conflict is shown, never guessed."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.folder import split_regions
from kmaint.records.change import Patch
from reintegrate.kinds.cuda.edit import file_patch
from reintegrate.patch import splice
from reintegrate.rebase import (
    Conflict,
    Rebased,
    rebase,
    rebase_file,
    rebase_guarded_file,
    three_way,
    with_regions,
)

CASE = Path(__file__).parent / "cases" / "merge_state"
RELEASED = Path(__file__).parents[1] / "cases" / "sglang-0.5.17"
ORIGINAL, WINNER = (CASE / "kernel.py").read_text(), (CASE / "winner.py").read_text()
KERNEL = ("sglang/kernels/ops/attention/merge_state.py", "merge_state_kernel")


def changed(before: str, after: str) -> str:
    assert ORIGINAL.count(before) == 1
    return ORIGINAL.replace(before, after)


def test_an_upstream_that_stood_still_gets_the_winner_itself() -> None:
    found = rebase(ORIGINAL, WINNER, ORIGINAL)
    assert found == Rebased(source=WINNER, contained=False, changed=False)


def test_changes_elsewhere_in_the_kernel_are_kept() -> None:
    upstream = changed("    num_heads = tl.num_programs(1)\n", "    num_heads = tl.num_programs(axis=1)\n")
    upstream = upstream.replace("merge_state.py:8-63", "merge_state.py:108-163")
    found = rebase(ORIGINAL, WINNER, upstream)
    assert isinstance(found, Rebased)
    assert (found.contained, found.changed) == (False, True)
    assert "tl.num_programs(axis=1)" in found.source
    assert "p_scale = p_se / out_se" in found.source
    assert "merge_state.py:108-163" in found.source


def test_the_same_lines_changed_by_both_are_a_conflict() -> None:
    upstream = changed("    p_scale = tl.exp(p_lse) / out_se\n", "    p_scale = tl.exp2(p_lse) / out_se\n")
    found = rebase(ORIGINAL, WINNER, upstream)
    assert isinstance(found, Conflict)
    assert found.reason == "upstream and the win both changed merge_state_kernel, once"
    marks = ("<<<<<<< upstream\n", "||||||| as extracted\n", ">>>>>>> win\n")
    assert [found.text.count(mark) for mark in marks] == [1, 1, 1]


def test_an_edit_that_upstream_has_is_contained() -> None:
    found = rebase(ORIGINAL, WINNER, WINNER)
    assert isinstance(found, Rebased)
    assert (found.contained, found.changed, found.source) == (True, True, WINNER)


def test_what_changes_no_region_is_not_contained() -> None:
    found = rebase(ORIGINAL, ORIGINAL, WINNER)
    assert isinstance(found, Rebased)
    assert not found.contained


def test_a_region_that_is_gone_is_named() -> None:
    upstream = ORIGINAL.replace("merge_state_triton", "merge_state_launch")
    assert rebase(ORIGINAL, WINNER, upstream) == Conflict(
        reason="merge_state_triton is no longer part of the kernel at sglang/kernels/ops/attention/merge_state.py"
    )


def test_a_region_follows_its_file_to_another_folder() -> None:
    upstream = ORIGINAL.replace("ops/attention/merge_state.py", "ops/merging/merge_state.py")
    found = rebase(ORIGINAL, WINNER, upstream)
    assert isinstance(found, Rebased)
    assert (found.contained, found.changed) == (False, False)
    assert found.source == WINNER.replace("ops/attention/merge_state.py", "ops/merging/merge_state.py")


def test_a_region_whose_file_has_another_name_is_found_by_its_own() -> None:
    renamed = ORIGINAL.replace("ops/attention/merge_state.py", "ops/merging.py")
    found = rebase(ORIGINAL, WINNER, renamed)
    assert isinstance(found, Rebased)
    assert found.source == WINNER.replace("ops/attention/merge_state.py", "ops/merging.py")
    of_that_name = ORIGINAL.replace("ops/attention/merge_state.py", "ops/merging/merge_state.py")
    found = rebase(ORIGINAL, WINNER, renamed + of_that_name)
    assert isinstance(found, Rebased)
    assert found.source == renamed + WINNER.replace("ops/attention/merge_state.py", "ops/merging/merge_state.py")


def test_a_region_that_may_stand_in_two_places_is_not_guessed() -> None:
    moved = ORIGINAL.replace("ops/attention/merge_state.py", "ops/merging/merge_state.py")
    other = ORIGINAL.replace("ops/attention/merge_state.py", "ops/joining/merge_state.py")
    found = rebase(ORIGINAL, WINNER, moved + other)
    assert isinstance(found, Conflict)
    assert found.reason.endswith("is no longer part of the kernel at sglang/kernels/ops/attention/merge_state.py")


AT = "sglang/kernels/ops/attention/merge_state.py"


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The released file with three lines more at its top."""
    (tmp_path / AT).parent.mkdir(parents=True)
    (tmp_path / AT).write_text(f"# one\n# two\n# three\n{(RELEASED / AT).read_text()}")
    return tmp_path


def test_a_region_of_that_name_that_was_there_before_is_no_new_place() -> None:
    """Two files of one name with a function of one name, of which upstream takes out the first."""

    def kernel(*files: str, body: str = "return 1") -> str:
        return "".join(f"# region {one}/utils.py:1-2 f\ndef f():\n    {body}\n# endregion\n" for one in files)

    found = rebase(kernel("x", "y"), kernel("x", "y", body="return 2"), kernel("y"))
    assert found == Conflict(reason="f is no longer part of the kernel at x/utils.py")


def test_whole_files_are_merged_as_regions_are() -> None:
    base = "".join(f"{number}\n" for number in range(9))
    win, upstream = base.replace("2\n", "two\n"), base.replace("7\n", "VII\n")
    both = upstream.replace("2\n", "two\n")
    assert rebase_file(base, win, upstream, "k") == Rebased(source=both, contained=False, changed=True)
    assert rebase_file(base, win, base, "k") == Rebased(source=win, contained=False, changed=False)
    assert rebase_file(base, win, win, "k") == Rebased(source=win, contained=True, changed=True)
    found = rebase_file(base, win, base.replace("2\n", "II\n"), "k")
    assert isinstance(found, Conflict)
    assert found.reason == "upstream and the win both changed k, once"


@given(st.lists(st.sampled_from(["a\n", "b\n", "\n", "    c\n"])))
def test_a_region_put_in_is_the_region_read_back(lines: list[str]) -> None:
    text = "".join(lines)
    source = with_regions(ORIGINAL, {KERNEL: text})
    assert split_regions(source) == {**split_regions(ORIGINAL), KERNEL: text}
    assert with_regions(source, {KERNEL: split_regions(ORIGINAL)[KERNEL]}) == ORIGINAL


def test_one_side_alone_is_taken_as_it_is() -> None:
    base = "".join(f"{number}\n" for number in range(9))
    ours = base.replace("4\n", "four\n")
    assert three_way(base, ours, base) == (ours, 0)
    assert three_way(base, base, ours) == (ours, 0)
    assert three_way(base, ours, base.replace("4\n", "IV\n"))[1] == 1


def guarded_file() -> tuple[str, Patch]:
    original = "int helper() { return 1; }\n\nint other() { return 2; }\n\nvoid op() {\n  helper();\n}\n"
    patched = original.replace(
        "void op() {\n", "static void op_sm90() { helper(); }\n\nvoid op() {\n  if (ok) op_sm90();\n"
    )
    return original, replace(file_patch("a.cu", "k", original, patched), kind="guarded", reason="it loses elsewhere")


def test_a_guarded_variant_in_a_cuda_file_goes_along_with_what_it_does_not_go_by() -> None:
    original, landed = guarded_file()
    upstream = original.replace("return 2", "return 3")
    found = rebase_guarded_file(landed, original, "b.cu", upstream)
    assert isinstance(found, Patch)
    assert (found.kind, found.reason, set(found.files)) == ("guarded", "it loses elsewhere", {"b.cu"})
    assert splice(upstream, found.edits) == splice(original, landed.edits).replace("return 2", "return 3")


def test_a_guarded_variant_in_a_cuda_file_stays_behind_where_upstream_changed_what_it_goes_by() -> None:
    original, landed = guarded_file()
    found = rebase_guarded_file(landed, original, "a.cu", original.replace("return 1", "return 4"))
    assert found == Conflict(reason="upstream changed helper, which the guarded variant copies or goes by")
    found = rebase_guarded_file(landed, original, "a.cu", original.replace("  helper();", "  helper(), other();"))
    assert found == Conflict(reason="upstream changed op, which the guarded variant copies or goes by")
    found = rebase_guarded_file(landed, original, "a.cu", f"{original}}}\n")
    assert isinstance(found, Conflict)
    assert found.reason.startswith("a.cu cannot be told apart into definitions: ")
