"""Only loops whose number of turns is known when compiling, and not large."""

from __future__ import annotations

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.static_loops import BEFORE, MOST_TURNS, apply
from kmaint.records.workload import Contract


def variants(source: str) -> list[str]:
    subject = Subject(source=source, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))
    return [variant.source for variant in apply(subject)]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a number known at the launch only", "PARTS: tl.constexpr", "PARTS"),
        ("more turns than anybody writes out", "triton.cdiv(columns, 16), BLOCK", f"{MOST_TURNS + 1}, BLOCK"),
        ("a bound that is computed", "range(PARTS)", "range(tl.cdiv(PARTS, 2))"),
    ],
)
def test_a_loop_stays_for(name: str, old: str, new: str) -> None:
    with pytest.raises(NotApplicable) as error:
        variants(BEFORE.replace(old, new))
    assert str(error.value) == "no loop over a plain range has bounds that are compile-time numbers alone", name


def test_a_short_number_in_the_source_is_written_out() -> None:
    source = BEFORE.replace("range(PARTS)", "range(0, 3)")
    assert variants(source) == [source.replace("range(0, 3)", "tl.static_range(0, 3)")]
