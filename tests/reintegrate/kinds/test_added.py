"""A winner that only adds: its own branch goes into the launcher, and no copy of anything stands beside it."""

import difflib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.folder import KERNEL, split_regions
from kmaint.records.change import Patch
from kmaint.records.harness import Harness
from reintegrate.kinds.added import Insertion, _is_apart, added_by, inserted
from reintegrate.kinds.guarded import guarded_patch
from reintegrate.kinds.win import Win
from tests.reintegrate.kinds.test_choosing import RELEASED, SMALL_ONLY, landed
from tests.reintegrate.wins import evaluation

LAUNCHER = "def merge_state_triton(\n"
DEFINITIONS = '''FEW_ROWS = 64
"""Up to here one program has all heads of a row."""


@triton.jit
def few_rows_kernel(x):
    pass


def _few_rows(output, output_lse):
    few_rows_kernel[(1,)](output)
    return output, output_lse


'''
BEHIND = "    padded_head_size = triton.next_power_of_2(head_size)\n"
BRANCH = f"""{BEHIND}
    # Few rows have a kernel of their own.
    if num_tokens <= FEW_ROWS:
        return _few_rows(output, output_lse)
"""


def win(harness: Harness, *edits: tuple[str, str], python: Path | None = Path(sys.executable)) -> Win:
    source = (harness.folder / KERNEL).read_text()
    for before, after in edits:
        assert source.count(before) == 1
        source = source.replace(before, after)
    return Win(harness=harness, evaluation=evaluation(source, SMALL_ONLY), python=python)


ADDITIONS = ((LAUNCHER, DEFINITIONS + LAUNCHER), (BEHIND, BRANCH))


def test_what_it_adds_and_nothing_else_stands_in_the_patch(
    harness_of: Callable[[str], Harness], committed: Callable[[Path], Path], recorded: Callable[[str, str], None]
) -> None:
    landing = landed(win(harness_of("merge_state"), *ADDITIONS), committed(RELEASED))
    assert landing.kind == "guarded"
    recorded("added.diff", landing.diff[landing.diff.index("diff --git") :])
    assert not [line for line in landing.diff.splitlines() if line.startswith("-") and not line.startswith("---")]
    assert "_merge_state_kernel_sm90" not in landing.diff
    assert (landing.checks[0].name, landing.checks[0].state) == ("outside the guard", "passed")


def test_the_guard_speaks_of_the_arguments_as_they_came(harness_of: Callable[[str], Harness]) -> None:
    """Where the branch stands, `output` is a tensor whatever was given."""
    found = added_by(win(harness_of("merge_state"), *ADDITIONS))
    assert found is not None
    assert (found.launcher, found.names) == ("_few_rows", ("FEW_ROWS", "_few_rows", "few_rows_kernel"))
    branched = found.branched("_use_it(output)")
    asked, made, taken = (branched.index(text) for text in ("use_it = _use_it(", "output = torch", "if use_it and"))
    assert asked < made < taken


@pytest.mark.parametrize(
    "test", ["num_tokens < 0", "output.is_cuda and num_tokens <= FEW_ROWS"], ids=["never", "not on a processor"]
)
def test_where_no_admitted_call_is_seen_to_take_the_branch_a_copy_stands_beside(
    harness_of: Callable[[str], Harness], test: str
) -> None:
    """Nothing shows then that the branch is the variant's only door."""
    never = (BEHIND, BRANCH.replace("num_tokens <= FEW_ROWS", test))
    patch = guarded_patch(win(harness_of("merge_state"), ADDITIONS[0], never), RELEASED)
    assert isinstance(patch, Patch)
    assert "_merge_state_triton_sm90" in patch.edits[-1].adds
    assert patch.shown[0].state == "passed"


def test_a_branch_may_launch_a_kernel_itself_and_ask_functions_of_its_own(
    harness_of: Callable[[str], Harness],
) -> None:
    asks = DEFINITIONS.replace("def _few_rows", "def _fits(x):\n    return x <= FEW_ROWS\n\n\ndef _few_rows")
    launches = BRANCH.replace("num_tokens <= FEW_ROWS", "_fits(num_tokens)").replace(
        "        return _few_rows(output", "        few_rows_kernel[(1,)](output)\n        return (output"
    )
    won = win(harness_of("merge_state"), (LAUNCHER, asks + LAUNCHER), (BEHIND, launches))
    found = added_by(won)
    assert found is not None
    assert found.launcher == "few_rows_kernel"
    patch = guarded_patch(won, RELEASED)
    assert isinstance(patch, Patch)
    assert (patch.edits[-1].adds[0], patch.shown[0].state) == ("_use_merge_state_triton_sm90", "passed")
    assert "_fits" in patch.edits[-1].adds


def test_without_the_guard_the_launcher_reads_as_it_did(harness_of: Callable[[str], Harness]) -> None:
    harness = harness_of("merge_state")
    found = added_by(win(harness, *ADDITIONS))
    assert found is not None
    (shipped,) = [
        text for key, text in split_regions((harness.folder / KERNEL).read_text()).items() if LAUNCHER in text
    ]
    branched = found.branched("_use_it(output)")
    lines = difflib.ndiff(shipped.splitlines(), branched.splitlines())
    assert not [line for line in lines if line.startswith("- ")]
    assert "    use_it = _use_it(output)\n" in branched
    assert "    if use_it and num_tokens <= FEW_ROWS:\n        return _few_rows(output, output_lse)\n" in branched


@pytest.mark.parametrize(
    ("test", "asked"),
    [
        ("num_tokens <= FEW_ROWS or head_size == 64", "use_it and (num_tokens <= FEW_ROWS or head_size == 64)"),
        ("not num_tokens > FEW_ROWS", "use_it and not num_tokens > FEW_ROWS"),
        ("num_tokens if FEW_ROWS else head_size", "use_it and (num_tokens if FEW_ROWS else head_size)"),
    ],
)
def test_the_guard_is_asked_before_whatever_the_branch_asks(
    harness_of: Callable[[str], Harness], test: str, asked: str
) -> None:
    found = added_by(win(harness_of("merge_state"), *ADDITIONS, ("num_tokens <= FEW_ROWS:", f"{test}:")))
    assert found is not None
    assert f"    if {asked}:\n" in found.branched("_use_it(x)")


SET_UP = (LAUNCHER, DEFINITIONS + LAUNCHER)
LOOP = BRANCH.replace("    if", "    for _ in [1]:\n      if").replace("        return", "          return")
LAUNCH = "        head_size,\n        padded_head_size,\n        output_lse is"


@pytest.mark.parametrize(
    "edits",
    [
        (*ADDITIONS, (LAUNCH, LAUNCH.replace("padded", "2 * padded"))),
        (SET_UP, (BEHIND, BRANCH.replace("return ", "output_lse = "))),
        (SET_UP, (BEHIND, BRANCH + "    else:\n        head_size += 0\n")),
        (SET_UP, (BEHIND, LOOP)),
        ((LAUNCHER, f"{DEFINITIONS}print(1)\n\n\n{LAUNCHER}"), (BEHIND, BRANCH)),
        (SET_UP, (BEHIND, BRANCH.replace("_few_rows(output, output_lse)", "output"))),
        ((LAUNCHER, f"{DEFINITIONS}torch.backends.cudnn.enabled = True\n\n\n{LAUNCHER}"), (BEHIND, BRANCH)),
        (SET_UP, (BEHIND, BRANCH.replace("        return", "        import triton\n\n        return"))),
    ],
    ids=[
        "another line",
        "falls through",
        "an else",
        "a loop",
        "does something",
        "calls nothing",
        "sets what is another's",
        "makes a global local",
    ],
)
def test_what_changes_more_than_that_is_copied(
    harness_of: Callable[[str], Harness], edits: tuple[tuple[str, str], ...]
) -> None:
    assert added_by(win(harness_of("merge_state"), *edits)) is None


def test_an_if_that_takes_over_the_else_of_another_stands_not_apart() -> None:
    old = "def f(a):\n    if a:\n        p()\n    else:\n        q()\n"
    new = old.replace("    else", "    if b:\n        return g()\n    else")
    found = inserted(old, new, lambda block: "g()" in block)
    assert found is not None
    assert not _is_apart(found, old, new)
    beside = old + "    if b:\n        return g()\n"
    assert _is_apart(Insertion(old, "    if b:\n        return g()\n", ""), old, beside)


def test_what_takes_over_the_decorator_of_another_is_not_put_in() -> None:
    old = "@cache\ndef f():\n    pass\n"
    assert inserted(old, old.replace("def f", "def g():\n    pass\ndef f"), bool) is None
    apart = inserted(old, old.replace("@cache", "def g():\n    pass\n@cache"), bool)
    assert apart is not None
    assert apart.lines == "def g():\n    pass\n"


LINES = st.lists(st.sampled_from(["a\n", "b\n", "\n", "if x:\n"]), max_size=8)


@given(LINES, LINES, st.integers(0, 8))
def test_a_block_that_was_put_in_is_found(old: list[str], block: list[str], at: int) -> None:
    """Which of several equal readings is meant only the block can tell."""
    new, wanted = [*old[:at], *block, *old[at:]], "".join(block)
    found = inserted("".join(old), "".join(new), lambda text: text == wanted)
    assert found is not None
    assert f"{found.before}{found.behind}" == "".join(old)
    assert f"{found.before}{found.lines}{found.behind}" == "".join(new)


@given(LINES, LINES)
def test_of_texts_of_which_one_is_not_in_the_other_nothing_is_found(old: list[str], new: list[str]) -> None:
    found = inserted("".join(old), "".join(new), lambda _: True)
    assert (found is not None) == any(
        new[:n] + new[n + len(new) - len(old) :] == old for n in range(len(old) + 1) if len(new) >= len(old)
    )
