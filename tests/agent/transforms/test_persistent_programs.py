"""A program takes row after row; what no row decides stays in front of the loop, and what is unsure is left alone."""

from __future__ import annotations

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.persistent_programs import BEFORE, PROGRAMS, apply
from kmaint.records.workload import Contract

ROW = "    row = tl.program_id(0)\n"
HINT = "        row = turn\n"


def variants(source: str) -> list[str]:
    subject = Subject(source=source, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))
    return [variant.source for variant in apply(subject)]


def test_each_variant_has_another_number_of_programs() -> None:
    found = variants(BEFORE)
    assert found[1:] == [found[0].replace("min(rows, 1056)", f"min(rows, {programs})") for programs in PROGRAMS[1:]]


def test_a_parameter_moved_to_its_row_keeps_its_place_for_the_next() -> None:
    source = BEFORE.replace(ROW, f"{ROW}    x_ptr += row * columns\n").replace(
        "x_ptr + row * columns + off", "x_ptr + off"
    )
    first = variants(source)[0]
    assert "        row_x_ptr = x_ptr + row * columns\n        x = tl.load(row_x_ptr + offsets, mask=mask)\n" in first


def test_a_widened_index_is_cast_from_the_turn() -> None:
    first = variants(BEFORE.replace("tl.program_id(0)", "tl.program_id(0).to(tl.int64)"))[0]
    assert "        row = tl.cast(turn, tl.int64)\n" in first


def test_what_the_kernel_writes_itself_is_loaded_for_every_row() -> None:
    source = BEFORE.replace("tl.load(scale_ptr", "tl.load(y_ptr")
    line = "        scale = tl.load(y_ptr + offsets, mask=mask)\n"
    assert line in variants(source)[0]


def test_comments_stay_with_their_statements() -> None:
    source = BEFORE.replace("    x = tl.load", "    # its own data\n    x = tl.load")
    assert "        # its own data\n        x = tl.load" in variants(source)[0]


@pytest.mark.parametrize(
    ("reason", "old", "new"),
    [
        ("the kernel does not use exactly program axis 0", ROW, "    row = tl.program_id(0) + tl.program_id(1)\n"),
        ("the kernel asks how many programs there are", ROW, "    row = tl.program_id(0) % tl.num_programs(0)\n"),
        (
            "a program may return early, and a loop in Triton may not",
            ROW,
            f"{ROW}    if row > 7:\n        return\n",
        ),
        ("the grid is not written at the launch", "kernel[(rows,)]", "kernel[lambda meta: (rows,)]"),
        ("the grid is not a tuple of one in the source", "kernel[(rows,)]", "kernel[(rows, 2)]"),
    ],
)
def test_what_does_not_apply_says_why(reason: str, old: str, new: str) -> None:
    with pytest.raises(NotApplicable) as error:
        variants(BEFORE.replace(old, new))
    assert str(error.value) == reason
