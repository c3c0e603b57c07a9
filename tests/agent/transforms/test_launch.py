"""Launch parameters are changed where a person would change them: at the number, wherever it stands."""

from __future__ import annotations

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.launch import BEFORE, apply
from kmaint.records.workload import Contract


def variants(source: str) -> dict[str, str]:
    subject = Subject(source=source, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))
    return {variant.note: variant.source for variant in apply(subject)}


def launching(setup: str, launch: str) -> str:
    """The example with other host code: `setup` lines, then the launch."""
    start, end = BEFORE.index("    BLOCK = 256"), BEFORE.index("    return y")
    return f"{BEFORE[:start]}{setup}    {launch}\n{BEFORE[end:]}"


def test_an_absent_option_becomes_a_keyword_and_the_default_is_no_variant() -> None:
    source = launching("", "kernel[(4,)](x, y, 1024, 256)")
    found = variants(source)
    assert found["num_warps=2"] == source.replace("1024, 256)", "1024, 256, num_warps=2)")
    assert "num_warps=4" not in found


def test_a_number_in_a_dictionary_is_changed_there() -> None:
    source = launching('    config = {"num_warps": 8}\n', "kernel[(4,)](x, y, 1024, 256, **config)")
    assert variants(source)["num_warps=2"] == source.replace('"num_warps": 8', '"num_warps": 2')


def test_an_option_that_is_none_until_tuned_gets_a_value() -> None:
    setup = "    warps: int | None = None\n    if x.numel() > 9:\n        warps = 8\n    options = {}\n"
    setup += '    if warps is not None:\n        options["num_warps"] = warps\n'
    source = launching(setup, "kernel[(4,)](x, y, 1024, 256, **options)")
    assert variants(source)["num_warps=2"] == source.replace("None = None", "None = 2")


def test_the_branch_of_another_platform_is_left_alone() -> None:
    setup = "    if is_hip():\n        warps = 4\n    else:\n        warps = 16\n"
    source = launching(setup, "kernel[(4,)](x, y, 1024, 256, num_warps=warps)")
    assert variants(source)["num_warps=2"] == source.replace("warps = 16", "warps = 2")


def test_a_heuristic_keeps_its_form_with_another_divisor() -> None:
    source = launching("", "kernel[(4,)](x, y, 1024, 256, num_warps=max(x.numel() // 256, 1))")
    assert variants(source)["num_warps: 256 becomes 512"] == source.replace("// 256", "// 512")


def test_a_block_is_changed_in_the_function_that_chooses_it_for_both_kernels() -> None:
    tile = "def tile(width):\n    return 16 if width >= 2 else 32\n\n\ndef launch"
    source = launching("    BLOCK = tile(2)\n", "kernel[(4,)](x, y, 1024, BLOCK=BLOCK)").replace("def launch", tile)
    line = source[: source.index("return 16")].count("\n") + 1
    found = variants(source)
    assert found[f"BLOCK 16 -> 64 (line {line})"] == source.replace("return 16 if", "return 64 if")
    assert found[f"BLOCK 16 -> 32 (line {line})"] == source.replace("16 if width >= 2 else 32", "32")


def test_the_cap_of_a_block_is_free_and_the_shape_below_it_is_not() -> None:
    setup = "    BLOCK = min(2048, triton.next_power_of_2(x.numel()))\n"
    source = launching(setup, "kernel[(4,)](x, y, 1024, BLOCK=BLOCK)")
    line = source[: source.index("min(2048")].count("\n") + 1
    assert variants(source)[f"BLOCK 2048 -> 1024 (line {line})"] == source.replace("2048", "1024")


def test_numbers_of_a_tuple_are_changed_there_and_an_option_of_it_at_the_launch() -> None:
    setup = "    n = x.numel()\n    BLOCK, num_warps = (16, 4) if n < 9 else ((256, 8) if n < 99 else (512, 8))\n"
    source = launching(setup, "kernel[(4,)](x, y, 1024, BLOCK, num_warps=num_warps)")
    line = source[: source.index("BLOCK, num_warps =")].count("\n") + 1
    found = variants(source)
    assert found[f"BLOCK 256 -> 1024 (line {line})"] == source.replace("(256, 8)", "(1024, 8)")
    assert found["num_warps=2"] == source.replace("num_warps=num_warps", "num_warps=2")


def test_what_stands_behind_an_unpacked_sequence_is_told_from_the_end() -> None:
    """SGLang's selective_state_update unpacks strides in the middle, and its heuristics give the last parameters."""
    decorated = '@triton.heuristics({"EVEN": lambda args: True})\n@triton.jit'
    setup = "    BLOCK = 256\n    sizes = (1024,)\n"
    source = launching(setup, "kernel[(4,)](x, y, *sizes, BLOCK, num_warps=8)")
    source = source.replace("@triton.jit", decorated).replace(
        "BLOCK: tl.constexpr)", "BLOCK: tl.constexpr, EVEN: tl.constexpr)"
    )
    line = source[: source.index("    BLOCK = 256")].count("\n") + 1
    found = variants(source)
    assert found[f"BLOCK 256 -> 512 (line {line})"] == source.replace("BLOCK = 256", "BLOCK = 512")
    assert found["num_warps=2"] == source.replace("num_warps=8", "num_warps=2")


@pytest.mark.parametrize(
    ("setup", "launch"),
    [
        ("    sizes = (x, y, 1024)\n", 'kernel[(4,)](*sizes, 64, num_warps=8, **{"BLOCK": 256})'),
        ("    first, *rest, BLOCK = 1, 2, 64, 4\n", "kernel[(4,)](x, y, 1024, BLOCK)"),
    ],
)
def test_what_cannot_be_told_is_no_block(setup: str, launch: str) -> None:
    assert not [note for note in variants(launching(setup, launch)) if note.startswith("BLOCK")]


def test_heuristics_that_are_not_written_out_leave_it_open_what_stands_last() -> None:
    source = launching("    sizes = (x, y, 1024)\n", "kernel[(4,)](*sizes, 64, num_warps=8)")
    named = source.replace("@triton.jit", "@triton.heuristics(RULES)\n@triton.jit")
    assert [note for note in variants(source) if note.startswith("BLOCK")]
    assert not [note for note in variants(named) if note.startswith("BLOCK")]


@pytest.mark.parametrize(
    "setup",
    [
        "    opts = dict(num_warps=8)\n",
        "    opts: dict = {'num_warps': 8}\n",
        "    opts = {'num_warps': 8} if x.numel() else {}\n",
        "    opts = {}\n    opts.update(num_warps=8)\n",
        "    opts = {**options}\n",
    ],
)
def test_an_option_that_may_be_unpacked_is_not_written_beside(setup: str) -> None:
    source = launching(setup, "kernel[(4,)](x, y, 1024, 256, **opts)")
    assert not [note for note in variants(source) if note.startswith("num_warps")]


def test_an_option_beside_a_dictionary_without_it_becomes_a_keyword() -> None:
    source = launching("    opts = {'a': 1} if x.numel() else {}\n", "kernel[(4,)](x, y, 1024, 256, **opts)")
    assert "256, num_warps=2, **opts)" in variants(source)["num_warps=2"]


def test_a_literal_block_changes_the_grid_with_it() -> None:
    source = launching("", "kernel[(triton.cdiv(x.numel(), 256),)](x, y, x.numel(), BLOCK=256)")
    line = source[: source.index("cdiv(")].count("\n") + 1
    assert variants(source)[f"BLOCK 256 -> 512 (line {line})"] == source.replace("256", "512")


def test_pairs_follow_the_single_changes() -> None:
    notes = list(variants(BEFORE))
    first_pair = next(at for at, note in enumerate(notes) if ", " in note)
    assert all(", " in note for note in notes[first_pair:]) and first_pair == 9


def test_an_autotuned_kernel_is_left_alone() -> None:
    source = BEFORE.replace("@triton.jit", "@triton.autotune(configs=[], key=[])\n@triton.jit")
    with pytest.raises(NotApplicable) as error:
        variants(source)
    assert str(error.value) == "the kernel is autotuned: its configurations choose the launch parameters"
