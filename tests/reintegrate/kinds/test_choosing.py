"""One win, and the kind of patch that it becomes: by where it wins, and by what the tree has for it."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import reintegrate
from kmaint.errors import UsageError
from kmaint.folder import KERNEL, sha256, split_regions
from kmaint.records.change import Landing, Patch
from kmaint.records.harness import Harness
from reintegrate.kinds.choosing import choose_again
from reintegrate.kinds.win import Declined, Win
from reintegrate.patch import splice
from tests.reintegrate.wins import evaluation

CASES = Path(__file__).parents[1] / "cases"
RELEASED = Path(__file__).parents[2] / "cases" / "sglang-0.5.17"
AT = "sglang/kernels/ops/attention/merge_state.py"
EVERYWHERE = {"T64": 1.3, "T768": 1.2, "T4096": 1.1}
SMALL_ONLY = {"T64": 1.3, "T768": 1.2, "T4096": 0.9}
FALLS_BACK = (
    "serving calls merge_state_v2 instead (sglang/srt/layers/attention/merge_state.py, where _is_cuda and "
    "_supported_dtypes(prefix_output) and _supported_headdim(prefix_output))"
)


def win(
    harness: Harness, ratios: Mapping[str, float] | None, *edits: tuple[str, str], python: str | None = sys.executable
) -> Win:
    source = (CASES / "merge_state" / "winner.py").read_text()
    for before, after in edits:
        assert before in source
        source = source.replace(before, after)
    return Win(harness=harness, evaluation=evaluation(source, ratios), python=Path(python) if python else None)


def landed(won: Win, tree: Path) -> Landing:
    patch = reintegrate.with_companions(reintegrate.choose(won, tree), won.harness, tree)
    rules = reintegrate.Rules(python=won.python)
    return reintegrate.land(patch, tree, branch="win", message="A win\n", into=tree.parent / "run", rules=rules)


def without_header(diff: str) -> str:
    """A commit's diff without what differs from day to day."""
    return diff[diff.index("diff --git") :]


def test_a_win_everywhere_is_an_edit_in_place(harness_of: Callable[[str], Harness]) -> None:
    patch = reintegrate.choose(win(harness_of("merge_state"), EVERYWHERE), RELEASED)
    assert (patch.kind, [edit.symbol for edit in patch.edits]) == ("edit", ["merge_state_kernel", "merge_state_triton"])
    assert patch.reason == (
        "on none of 3 timed workloads is it slower, and it takes all that the original takes; no config: no table of "
        "the framework holds this kernel's launch parameters"
    )


def test_a_win_that_nobody_timed_is_an_edit_that_claims_nothing(harness_of: Callable[[str], Harness]) -> None:
    patch = reintegrate.choose(win(harness_of("merge_state"), None), RELEASED)
    assert patch.kind == "edit"
    assert patch.reason.startswith("not timed, so nothing is known of where it would lose")


def test_what_was_lost_counts_under_whatever_name_it_was_timed(harness_of: Callable[[str], Harness]) -> None:
    """As where a harness is cut anew, and names its workloads in another way."""
    won = win(harness_of("merge_state"), EVERYWHERE)
    elsewhere = {f"batch_size{n}": ratio for n, ratio in enumerate(EVERYWHERE.values())}
    anew = win(won.harness, elsewhere)
    assert reintegrate.choose(anew, RELEASED).reason == reintegrate.choose(won, RELEASED).reason
    with pytest.raises(UsageError) as refused:
        reintegrate.choose(win(won.harness, {**elsewhere, "batch_size9": 0.9}), RELEASED)
    assert refused.value.message == (
        "no kind of patch can carry this win: config: no table of the framework holds this kernel's launch parameters; "
        "edit: on batch_size9 it is 0.90x as fast as the original; "
        "guarded: it was timed on workloads that this harness does not name; registry: serving runs this kernel itself"
    )


def test_a_win_on_part_of_the_sizes_is_a_guarded_variant(
    harness_of: Callable[[str], Harness],
    committed: Callable[[Path], Path],
    recorded: Callable[[str, str], None],
) -> None:
    landing = landed(win(harness_of("merge_state"), SMALL_ONLY), committed(RELEASED))
    assert landing.kind == "guarded"
    assert landing.reason == (
        "it wins on T64, T768 and loses on T4096; no config: no table of the framework holds this kernel's launch "
        "parameters; no edit: on T4096 it is 0.90x as fast as the original"
    )
    recorded("guarded.diff", without_header(landing.diff))
    assert not [line for line in landing.diff.splitlines() if line.startswith("-") and not line.startswith("---")]
    assert [(check.name, check.state) for check in landing.checks] == [
        ("outside the guard", "passed"),
        ("lint", "not_run"),
        ("the framework's own tests", "not_run"),
        ("the new test test_merge_state_triton_against_float64.py", "passed"),
    ]
    assert landing.checks[0].detail.endswith("ran under the interpreter, bit-identical to the shipped code")
    assert landing.checks[3].detail == "1 passed, 1 skipped under the Triton interpreter"


def test_on_a_tree_that_went_on_a_guarded_win_is_guarded_again(
    harness_of: Callable[[str], Harness], tmp_path: Path
) -> None:
    """Though it would be an edit: with what upstream changed in the launcher, which the variant is a copy of."""
    change = ("    num_tokens = output.shape[0]\n", "    num_tokens = len(output)\n")
    harness = newer(harness_of("merge_state"), tmp_path, change)
    patch = choose_again("guarded", win(harness, SMALL_ONLY, change), tmp_path)
    assert isinstance(patch, Patch)
    assert (patch.kind, [check.state for check in patch.shown]) == ("guarded", ["passed"])
    text = splice((tmp_path / AT).read_text(), patch.edits)
    assert text.startswith("# one\n# two\n# three\n")
    assert text.count("num_tokens = len(output)") == 2
    assert "def _use_merge_state_triton_sm90(" in text
    assert choose_again("registry", win(harness, SMALL_ONLY, change), tmp_path) == Declined(
        "the tree has no sglang.kernels registry that this kernel belongs to"
    )


def test_where_the_shipped_code_does_not_run_nothing_is_said_of_the_code_outside_the_guard(
    harness_of: Callable[[str], Harness], tmp_path: Path
) -> None:
    """As vLLM's attention under the interpreter of triton 3.6.0: its guard was called one that does not hold."""
    change = ("    num_tokens = output.shape[0]\n", "    assert output.is_cuda\n    num_tokens = output.shape[0]\n")
    again = win(newer(harness_of("merge_state"), tmp_path, change), SMALL_ONLY, change)
    patch = choose_again("guarded", again, tmp_path)
    assert isinstance(patch, Patch)
    [shown] = patch.shown
    assert shown.state == "not_run"
    assert "cases go where they should; the shipped code does not run here ({'D': 128, " in shown.detail
    assert shown.detail.endswith("AssertionError: )")


def newer(harness: Harness, tree: Path, change: tuple[str, str]) -> Harness:
    """The harness as it is cut from a tree in which three lines stand above the kernel, and one is another."""
    (tree / AT).parent.mkdir(parents=True)
    (tree / AT).write_text(f"# one\n# two\n# three\n{(RELEASED / AT).read_text().replace(*change)}")
    kernel = (harness.folder / KERNEL).read_text()
    assert change[0] in kernel
    (harness.folder / KERNEL).write_text(kernel.replace(*change))
    texts = split_regions((harness.folder / KERNEL).read_text())
    regions = tuple(
        replace(one, line=one.line + 3, end_line=one.end_line + 3, sha256=sha256(texts[one.path, one.symbol]))
        for one in harness.regions
    )
    files = {AT: sha256((tree / AT).read_text())}
    return replace(harness, regions=regions, provenance=replace(harness.provenance, files=files))


def test_a_winner_that_asks_for_more_is_guarded(harness_of: Callable[[str], Harness]) -> None:
    asks = ("    head_size = output.shape[2]\n", "    head_size = output.shape[2]\n    assert head_size == 128\n")
    patch = reintegrate.choose(win(harness_of("merge_state"), EVERYWHERE, asks, python=None), RELEASED)
    assert patch.kind == "guarded"
    assert "no edit: merge_state_triton demands 'head_size == 128', which the original does not" in patch.reason


def test_what_not_every_architecture_has_is_no_news_where_the_original_asks_for_it(
    harness_of: Callable[[str], Harness], tmp_path: Path
) -> None:
    """SGLang's second stage of decode has gdc_wait in its kernel; a winner may have it in another of its functions."""
    waits = (
        "    head_size = output.shape[2]\n",
        "    head_size = output.shape[2]\n    WAIT = tl.extra.cuda.gdc_wait\n",
    )
    harness = harness_of("merge_state")
    patch = reintegrate.choose(win(harness, EVERYWHERE, waits, python=None), RELEASED)
    assert patch.kind == "guarded"
    assert "no edit: merge_state_triton uses gdc_wait, which not every architecture has" in patch.reason
    begins = "    token_idx = tl.program_id(0)\n"
    asked = newer(harness, tmp_path, (begins, f"    tl.extra.cuda.gdc_wait()\n{begins}"))
    assert reintegrate.choose(win(asked, EVERYWHERE, waits, python=None), tmp_path).kind == "edit"
    (tmp_path / AT).unlink()
    (tmp_path / AT).parent.rmdir()
    plain = (
        f"    tl.extra.cuda.gdc_wait()\n{begins}",
        f"    if num_heads:\n        tl.extra.cuda.gdc_wait()\n{begins}",
    )
    under = newer(asked, tmp_path, plain)
    assert reintegrate.choose(win(under, EVERYWHERE, waits, python=None), tmp_path).kind == "guarded"


def test_an_operator_that_serving_runs_otherwise_gets_a_backend(
    harness_of: Callable[[str], Harness],
    committed: Callable[[Path], Path],
    recorded: Callable[[str, str], None],
) -> None:
    tree = committed(CASES / "registry")
    landing = landed(win(harness_of("merge_state"), EVERYWHERE, python=None), tree)
    assert (landing.kind, landing.reason) == (
        "registry",
        "registered as attention.merge_state_sm90; which backend serves stays as it is, and was not timed against "
        "this one; no config: no table of the framework holds this kernel's launch parameters; "
        f"no edit and no guarded: {FALLS_BACK}",
    )
    recorded("registry.diff", without_header(landing.diff))
    assert {check.state for check in landing.checks} == {"not_run"}  # without an interpreter
    subprocess.run(["git", "checkout", "--quiet", "win"], cwd=tree, check=True)
    program = (
        "import sglang.kernels.ops.attention\n"
        "from sglang.kernels.selector import select_kernel\n"
        "from sglang.kernels.spec import PlatformInfo\n"
        "spec = select_kernel('attention.merge_state_sm90')\n"
        "sm = [spec.is_available(PlatformInfo('cuda', *arch)) for arch in ((9, 0), (10, 0))]\n"
        "print(spec.load().__name__, spec.backend.value, *sm)"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tree, capture_output=True, text=True, check=True)
    assert ended.stdout == "merge_state_sm90 triton True False\n"


def test_what_no_kind_can_carry_says_what_each_needs(harness_of: Callable[[str], Harness]) -> None:
    with pytest.raises(UsageError) as refused:
        reintegrate.choose(win(harness_of("merge_state"), dict.fromkeys(EVERYWHERE, 0.9)), RELEASED)
    assert str(refused.value) == (
        "no kind of patch can carry this win: config: no table of the framework holds this kernel's launch parameters; "
        "edit: on T64 it is 0.90x as fast as the original; guarded: it wins on no workload that was timed; registry: "
        "serving runs this kernel itself; land it by hand, or time it on the workloads that matter to you"
    )


def test_a_winner_that_changes_nothing_is_told_so(harness_of: Callable[[str], Harness]) -> None:
    harness = harness_of("merge_state")
    same = evaluation((harness.folder / "kernel.py").read_text(), EVERYWHERE)
    with pytest.raises(UsageError, match="the candidate is merge_state_triton as it stands in the tree"):
        reintegrate.choose(Win(harness=harness, evaluation=same), RELEASED)
