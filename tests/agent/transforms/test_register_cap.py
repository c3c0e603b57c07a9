"""A cap is tried only below what the kernel takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.register_cap import BEFORE, apply
from kmaint.records.evaluation import Resources
from kmaint.records.workload import Contract

SUBJECT = Subject(source=BEFORE, kernel="kernel", entry="launch", contract=Contract(axes=(), arguments=()))
TAKES_120 = Resources(
    kernel="kernel",
    arch="sm_90",
    registers=120,
    shared_bytes=0,
    spill_bytes=0,
    load_bits=128,
    store_bits=128,
    instructions=100,
    num_warps=4,
    num_stages=3,
    workload="",
)


def test_caps_below_what_the_kernel_takes() -> None:
    assert [variant.note for variant in apply(replace(SUBJECT, resources=TAKES_120))] == ["maxnreg=96", "maxnreg=64"]


def test_a_kernel_of_few_registers_is_left_alone() -> None:
    with pytest.raises(NotApplicable) as error:
        apply(replace(SUBJECT, resources=replace(TAKES_120, registers=40)))
    assert str(error.value) == "the kernel takes 40 registers a thread: a cap would change nothing"
