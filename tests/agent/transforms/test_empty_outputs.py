"""Zeros are left out only where nobody but this launch could have needed them."""

from __future__ import annotations

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.empty_outputs import BEFORE, apply
from kmaint.records.workload import Contract


def variants(source: str) -> list[str]:
    subject = Subject(source=source, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))
    return [variant.source for variant in apply(subject)]


@pytest.mark.parametrize(
    ("filled", "empty"),
    [
        ("torch.zeros(x.shape, dtype=x.dtype)", "torch.empty(x.shape, dtype=x.dtype)"),
        ("x.new_zeros(x.shape)", "x.new_empty(x.shape)"),
    ],
)
def test_every_way_to_make_zeros_has_its_empty_twin(filled: str, empty: str) -> None:
    source = BEFORE.replace("torch.zeros_like(x)", filled)
    assert variants(source) == [source.replace(filled, empty)]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("the kernel adds to them", "tl.store(y_ptr + offsets, x * 2.0,", "tl.atomic_add(y_ptr + offsets, x,"),
        ("the kernel reads them", "x * 2.0,", "x + tl.load(y_ptr + offsets),"),
        ("the launcher writes to them", "    kernel[", "    y[0] = 1\n    kernel["),
        ("the launcher hands them on", "    return y", "    check(y)\n    return y"),
        ("a program may end early", "    tl.store", "    if n == 1:\n        return\n    tl.store"),
    ],
)
def test_they_stay_where(name: str, old: str, new: str) -> None:
    with pytest.raises(NotApplicable):
        variants(BEFORE.replace(old, new))
