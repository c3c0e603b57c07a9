"""A split that the caller chose is made finer in the launcher, where its scratch is nobody else's."""

from __future__ import annotations

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.more_segments import BEFORE, COMMENT, apply
from kmaint.records.workload import Contract


def variants(source: str) -> list[str]:
    subject = Subject(source=source, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))
    return [variant.source for variant in apply(subject)]


def test_a_branch_that_makes_both_launches_is_part_of_the_guard() -> None:
    launches = BEFORE[BEFORE.index("    kernel[(rows, parts)]") : BEFORE.index("def launch")].rstrip()
    inside = "\n".join(f"    {line}" for line in launches.splitlines())
    split = "    many = columns > 16 and scratch is not None\n"
    first = variants(BEFORE.replace(launches, f"{split}    if many:\n{inside}"))[0]
    assert f"{split}    {COMMENT}\n    if many and rows * parts <= 264:\n        parts = parts * 4\n" in first


def test_a_launcher_that_is_told_the_longest_context_splits_long_ones_only() -> None:
    told = "def summed(x, y, parts, scratch, max_seqlen_q=1, max_seqlen_k=9):"
    first = variants(BEFORE.replace("def summed(x, y, parts, scratch):", told))[0]
    assert "    if max_seqlen_k >= 2048 and rows * parts <= 264:\n" in first


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("scratch whose strides are handed on", "x, scratch, columns, PARTS", "x, scratch, scratch.stride(0), PARTS"),
        ("scratch that the first kernel reads too", "total = 0.0", "total = tl.load(part_ptr)"),
        ("a layout that does not follow the number", "PARTS: tl.constexpr, BLOCK", "PARTS, BLOCK"),
        ("a number that the launcher chose", "def summed(x, y, parts, scratch):", "def summed(x, y, parts_, scratch):"),
        ("a number that was made finer already", "    kernel[(rows", "    parts = parts * 4\n    kernel[(rows"),
    ],
)
def test_it_does_not_apply_to(name: str, old: str, new: str) -> None:
    source = BEFORE.replace(old, new).replace("kernel(x_ptr, part_ptr, columns,", "kernel(x_ptr, part_ptr, columns,")
    with pytest.raises(NotApplicable) as error:
        variants(source)
    expected = "no second launch joins what this one writes for each of a number of segments it is given"
    assert str(error.value) == expected, name
