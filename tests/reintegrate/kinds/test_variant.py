"""A winner beside the original: renamed throughout, reached by a branch that leaves every line as it was."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kmaint.records.harness import Harness
from reintegrate.kinds.variant import Copied, handed_on, variant_of, with_branch
from reintegrate.kinds.win import Declined, Win
from tests.reintegrate.wins import evaluation

CASE = Path(__file__).parents[1] / "cases" / "merge_state"
LAUNCHER = '''@register_op("x")
def launch(x, *rest, out=None, **options):
    """What it does."""

    # Why this comes first.
    y = x
    return y
'''


def variant(harness: Harness, *edits: tuple[str, str], source: str = "") -> Copied | Declined:
    source = source or (CASE / "winner.py").read_text()
    for before, after in edits:
        assert before in source
        source = source.replace(before, after)
    return variant_of(Win(harness=harness, evaluation=evaluation(source, {"T64": 1.2})), "sm90")


def test_what_only_the_launcher_changes_leaves_the_kernel_where_it_is(harness_of: Callable[[str], Harness]) -> None:
    original = (CASE / "kernel.py").read_text()
    launch = ("        output_lse is not None,\n    )", "        output_lse is not None,\n        num_warps=1,\n    )")
    found = variant(harness_of("merge_state"), launch, source=original)
    assert isinstance(found, Copied)
    assert found.names == ("_merge_state_triton_sm90",)
    assert "merge_state_kernel[(num_tokens" in found.source


def test_a_host_functions_decorators_stay_with_the_original(harness_of: Callable[[str], Harness]) -> None:
    harness = harness_of("merge_state")
    decorated = ("def merge_state_triton(", '@register_custom_op("merge")\n@torch.no_grad()\ndef merge_state_triton(')
    found = variant(harness, decorated)
    assert isinstance(found, Copied)
    assert "register_custom_op" not in found.source
    assert "no_grad" not in found.source
    assert found.source.count("@triton.jit\ndef _merge_state_kernel_sm90(") == 1


def test_a_kernel_without_its_launcher_has_no_place_for_a_branch(harness_of: Callable[[str], Harness]) -> None:
    assert variant(replace(harness_of("merge_state"), level="kernel")) == Declined(
        "the kernel is cut without its launcher, so there is no place for a branch"
    )


def test_the_branch_stands_below_the_docstring_and_above_the_first_comment() -> None:
    branched = with_branch(LAUNCHER, "launch", "_use(x)", f"_fast({handed_on(LAUNCHER, 'launch')})")
    branch = "    if _use(x):\n        return _fast(x, *rest, out=out, **options)\n"
    assert branched == LAUNCHER.replace('"""What it does."""\n', f'"""What it does."""\n{branch}')
