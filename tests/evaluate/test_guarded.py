"""What a guard turns away runs the shipped code, or is found not to."""

from __future__ import annotations

import pytest

from kmaint.evaluate import Bench, outside_as_shipped
from kmaint.folder import KERNEL
from kmaint.records.harness import Harness
from kmaint.records.workload import Binding

CASES: list[dict[str, Binding]] = [
    {"T": tokens, "H": 2, "D": 64, "DT": dtype} for tokens in (1, 3) for dtype in ("float32", "float16")
]
SUM = "out = p_out * p_scale + s_out * s_scale"


def guarded(harness: Harness, condition: str) -> str:
    """The kernel with other arithmetic where the condition holds, as a variant behind a guard has."""
    source = (harness.folder / KERNEL).read_text()
    assert source.count(SUM) == 1
    return source.replace(SUM, f"{SUM}\n    if {condition}:\n        out = out * 1.0625")


def test_code_that_no_case_comes_to_changes_no_bit(harness: Harness, bench: Bench) -> None:
    found = outside_as_shipped(harness, guarded(harness, "tl.num_programs(0) == 2"), CASES, bench)
    assert (found.name, found.state) == ("outside the guard", "passed"), found.detail
    assert found.detail == "4 cases ran on the interpreter, bit-identical to the shipped code"


def test_a_case_that_comes_to_it_is_found(harness: Harness, bench: Bench) -> None:
    found = outside_as_shipped(harness, guarded(harness, "tl.num_programs(0) == 3"), CASES, bench)
    assert found.state == "failed"
    assert found.detail.startswith("wrong: outside ")


@pytest.mark.parametrize("factor", ["1.0000001", "1.0"])
def test_a_last_bit_counts(harness: Harness, bench: Bench, factor: str) -> None:
    """Far below what the gate lets pass as rounding."""
    source = (harness.folder / KERNEL).read_text().replace(SUM, f"{SUM} * {factor}")
    found = outside_as_shipped(harness, source, CASES, bench)
    assert found.state == ("passed" if factor == "1.0" else "failed")
    assert found.state == "passed" or found.detail.startswith("results differ from the shipped code's by ")


def test_what_does_not_build_is_said(harness: Harness, bench: Bench) -> None:
    source = (harness.folder / KERNEL).read_text().replace(SUM, "out = not_there")
    found = outside_as_shipped(harness, source, CASES, bench)
    assert found.state == "failed"
    assert "not_there" in found.detail
