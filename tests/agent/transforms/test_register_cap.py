"""A cap is tried only below what the kernel takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.register_cap import BEFORE, apply
from kmaint.records.workload import Contract

SUBJECT = Subject(source=BEFORE, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))


def test_caps_below_what_the_kernel_takes() -> None:
    assert [variant.note for variant in apply(replace(SUBJECT, registers=120))] == ["maxnreg=96", "maxnreg=64"]


def test_a_kernel_of_few_registers_is_left_alone() -> None:
    with pytest.raises(NotApplicable) as error:
        apply(replace(SUBJECT, registers=40))
    assert str(error.value) == "the kernel takes 40 registers a thread: a cap would change nothing"
