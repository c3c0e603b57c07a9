"""Hints go to the innermost loops that load; the loop around them is flattened."""

from __future__ import annotations

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.pipelined_loops import BEFORE, HINTS, apply
from kmaint.records.workload import Contract


def variants(source: str) -> list[str]:
    subject = Subject(source=source, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))
    return [variant.source for variant in apply(subject)]


def test_a_nest_is_hinted_inside_and_flattened_outside() -> None:
    start, end = BEFORE.index("    for start"), BEFORE.index("    tl.store")
    inner = "".join(f"    {line}\n" for line in BEFORE[start:end].splitlines())
    source = f"{BEFORE[:start]}    for turn in range(0, 2):\n{inner}{BEFORE[end:]}"
    found = variants(source)
    assert len(found) == len(HINTS) + 1
    assert "for turn in range(0, 2):\n        for start in tl.range(0, columns, BLOCK, num_stages=3):" in found[0]
    assert "for turn in tl.range(0, 2, flatten=True):\n        for start in range(0, columns, BLOCK):" in found[-1]


def test_a_loop_with_hints_of_its_own_is_left_alone() -> None:
    with pytest.raises(NotApplicable) as error:
        variants(BEFORE.replace("in range(", "in tl.range("))
    assert str(error.value) == "no loop over a plain range loads anything"
