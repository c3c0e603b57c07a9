"""A cast goes only where the value is seen to be float32 and is widened again at once."""

from __future__ import annotations

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.cast_round_trips import BEFORE, apply
from kmaint.records.workload import Contract


def variants(source: str) -> list[str]:
    subject = Subject(source=source, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))
    return [variant.source for variant in apply(subject)]


def test_a_cast_down_and_up_goes() -> None:
    source = BEFORE.replace("x * gate.to(x_ptr.dtype.element_ty)", "gate.to(tl.bfloat16).to(tl.float32)")
    assert variants(source) == [BEFORE.replace("x * gate.to(x_ptr.dtype.element_ty)", "gate")]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("to whole numbers", "gate.to(x_ptr.dtype.element_ty)", "gate.to(tl.int8)"),
        ("to the type of what is written", "gate.to(x_ptr.dtype.element_ty)", "gate.to(y_ptr.dtype.element_ty)"),
        ("of a value that may be narrow already", ".to(tl.float32)\n", "\n"),
        ("of what is stored", "y = x * gate.to(x_ptr.dtype.element_ty)", "y = gate.to(x_ptr.dtype.element_ty)"),
    ],
)
def test_a_cast_stays(name: str, old: str, new: str) -> None:
    with pytest.raises(NotApplicable):
        variants(BEFORE.replace(old, new))
