"""Variants under guards: small where only values differ, whole functions where more does, the shipped code below."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.branches import Branch, compose
from kmaint.agent.transforms.launch import BEFORE
from kmaint.agent.transforms.more_segments import MORE_SEGMENTS
from kmaint.agent.transforms.reciprocal import RECIPROCAL
from kmaint.agent.transforms.tile_programs import TILE_PROGRAMS
from kmaint.child import clean_environment
from kmaint.forking.stem import run_with_torch
from kmaint.records.workload import Contract

HERE = Path(__file__).parent
CONTRACT = Contract(axes=(), arguments=())
TOP = "def launch(x: torch.Tensor) -> torch.Tensor:\n"


def branch(source: str, guard: str = "x.shape[0] <= 64", name: str = "small") -> Branch:
    return Branch(guard=guard, name=name, source=source)


def test_numbers_that_differ_become_choices() -> None:
    small = BEFORE.replace("num_warps=8", "num_warps=2").replace("BLOCK = 256", "BLOCK = 512")
    large = BEFORE.replace("num_warps=8", "num_warps=16")
    made = compose(BEFORE, "launch", [branch(small), branch(large, "x.shape[0] >= 4096", "large")])
    expected = (
        BEFORE.replace(TOP, f"{TOP}    small = x.shape[0] <= 64\n    large = x.shape[0] >= 4096\n")
        .replace("BLOCK = 256", "BLOCK = 512 if small else 256")
        .replace(
            "    kernel[(triton.cdiv(x.numel(), BLOCK),)](x, y, x.numel(), BLOCK=BLOCK, num_warps=8)\n",
            """\
    kernel[(triton.cdiv(x.numel(), BLOCK),)](
        x, y, x.numel(), BLOCK=BLOCK, num_warps=2 if small else 16 if large else 8
    )
""",
        )
    )
    assert made.source == expected and made.note == "small: x.shape[0] <= 64; large: x.shape[0] >= 4096"


def test_an_option_that_was_not_given_has_its_default_elsewhere() -> None:
    shipped = BEFORE.replace(", num_warps=8", "")
    made = compose(shipped, "launch", [branch(shipped.replace("BLOCK=BLOCK)", "BLOCK=BLOCK, num_warps=2)"))])
    assert "num_warps=2 if small else 4" in made.source


def test_what_is_unpacked_into_a_launch_keeps_its_place() -> None:
    shipped = BEFORE.replace("num_warps=8)", "num_warps=8, **options, **({'launch_pdl': True} if pdl else {}))")
    made = compose(shipped, "launch", [branch(shipped.replace("num_warps=8", "num_warps=2"))])
    assert "num_warps=2 if small else 8" in made.source
    assert made.source.count("**options") == made.source.count("launch_pdl") == 1


def test_an_added_if_asks_for_the_guard_too() -> None:
    inside = BEFORE.replace("    kernel[", "    if x.numel() > 9 or x.numel() == 3:\n        BLOCK = 128\n    kernel[")
    made = compose(BEFORE, "launch", [branch(inside)])
    asked = "    if small and (x.numel() > 9 or x.numel() == 3):\n        BLOCK = 128\n    kernel["
    assert made.source == BEFORE.replace(TOP, f"{TOP}    small = x.shape[0] <= 64\n").replace("    kernel[", asked)


def test_a_kernel_that_differs_stands_beside_the_shipped_one() -> None:
    made = compose(RECIPROCAL.before, "launch", [branch(RECIPROCAL.after)]).source
    assert made.startswith(RECIPROCAL.before[: RECIPROCAL.before.index(TOP)])
    assert f"{TOP}    if x.shape[0] <= 64:\n        return launch_small(x)\n    y = " in made
    assert "\n\n@triton.jit\ndef kernel_small(x_ptr, y_ptr, columns, BLOCK: tl.constexpr):\n" in made
    assert "    kernel_small[(rows,)](x, y, columns" in made


def test_a_function_between_the_entry_and_what_differs_is_copied_along() -> None:
    made = compose(MORE_SEGMENTS.before, "launch", [branch(MORE_SEGMENTS.after)]).source
    assert "def summed_small(x, y, parts, scratch):" in made and "    summed_small(x, y, 4, " in made
    assert "def join_small" not in made


@pytest.mark.parametrize(
    ("reason", "source"),
    [
        ("the variant changes more than functions", f"LIMIT = 3\n{BEFORE.replace('* BLOCK', '* (BLOCK)')}"),
        ("the variant is the shipped file", BEFORE.replace("BLOCK = 256", "BLOCK = (256)")),
    ],
)
def test_what_cannot_be_composed_says_why(reason: str, source: str) -> None:
    with pytest.raises(NotApplicable) as error:
        compose(BEFORE, "launch", [branch(source)])
    assert str(error.value) == reason


def test_both_branches_run_and_outside_the_guard_the_bits_are_the_shipped_ones(tmp_path: Path) -> None:
    """Several rows a program up to four rows, one reciprocal a row from six on, and what was shipped for five."""
    shipped = TILE_PROGRAMS.before
    subject = Subject(source=shipped, kernel="kernel", entry="launch", contract=CONTRACT)
    (faster, *_), (inverse, *_) = TILE_PROGRAMS.apply(subject), RECIPROCAL.apply(subject)
    branches = [branch(faster.source, "x.shape[0] <= 4"), branch(inverse.source, "x.shape[0] >= 6", "large")]
    sources = {
        "shipped": shipped,
        "small": faster.source,
        "large": inverse.source,
        "table": compose(shipped, "launch", branches).source,
    }
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    environment = clean_environment({"TRITON_INTERPRET": "1"})
    done = run_with_torch([sys.executable, HERE / "run_table.py", tmp_path], timeout_s=250, env=environment)
    assert done.code == 0, done.stderr
    assert done.stdout.splitlines() == [
        "1 rows: small",
        "4 rows: small",
        "5 rows: shipped",
        "6 rows: large",
        "9 rows: large",
    ]
