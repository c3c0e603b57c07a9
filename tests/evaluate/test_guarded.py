"""What a guard turns away runs the shipped code, or is found not to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kmaint.evaluate import Bench, outside_as_shipped
from kmaint.folder import KERNEL
from kmaint.records.change import Trap
from kmaint.records.harness import Harness
from kmaint.records.workload import Binding

OUTSIDE: tuple[dict[str, Binding], ...] = tuple(
    {"T": tokens, "H": 2, "D": 64, "DT": dtype} for tokens in (1, 3) for dtype in ("float32", "float16")
)
INSIDE: dict[str, Binding] = {"T": 2, "H": 2, "D": 64, "DT": "float16"}
SUM = "out = p_out * p_scale + s_out * s_scale"
SAID = "the variant was reached"


def trapped(harness: Harness, condition: str, *, sum_: str = SUM) -> Trap:
    """The kernel's file with a branch at the top of its launcher that refuses what the condition says."""
    source = (harness.folder / KERNEL).read_text()
    head, begun, body = source.partition("    num_tokens = output.shape[0]")
    assert begun and source.count(SUM) == 1
    branch = f'    if {condition}:\n        raise RuntimeError("{SAID}")\n'
    return Trap(source=f"{head}{branch}{begun}{body}".replace(SUM, sum_), said=SAID, outside=OUTSIDE, inside=INSIDE)


def test_a_guard_that_admits_its_own_and_no_other_holds(harness: Harness, bench: Bench) -> None:
    found = outside_as_shipped(harness, trapped(harness, "output.shape[0] == 2"), bench)
    assert (found.name, found.state) == ("outside the guard", "passed"), found.detail
    assert (
        found.detail
        == "4 cases ran on the interpreter, bit-identical to the shipped code, and none came to the variant"
    )


CALLED = "triton.knobs.runtime.interpret and"
"""Where it is called, and not as it is built: in CUDA C++ building a file calls nothing of it."""


@pytest.mark.parametrize("condition", [f"{CALLED} output.shape[0] in (2, 3)", f"{CALLED} True"])
def test_a_call_outside_that_comes_to_the_variant_is_found(harness: Harness, bench: Bench, condition: str) -> None:
    found = outside_as_shipped(harness, trapped(harness, condition), bench)
    assert found.state == "failed"
    assert found.detail.startswith("wrong: outside ")
    assert f"{SAID} where the original returns" in found.detail


def test_a_guard_that_admits_nothing_is_found(harness: Harness, bench: Bench) -> None:
    found = outside_as_shipped(harness, trapped(harness, "False"), bench)
    assert (found.state, found.detail) == ("failed", f"{INSIDE} passes the guard, and never comes to the variant")


def test_a_call_that_ends_in_another_way_says_nothing_of_the_guard(harness: Harness, bench: Bench) -> None:
    trap = trapped(harness, f"{CALLED} output.shape[0] == 2")
    gone = replace(trap, source=trap.source.replace(f'raise RuntimeError("{SAID}")', "__import__('os')._exit(3)"))
    found = outside_as_shipped(harness, gone, bench)
    assert (found.state, found.detail.partition(":")[0]) == ("not_run", "crashed")


def test_another_error_inside_is_not_the_trap(harness: Harness, bench: Bench) -> None:
    trap = trapped(harness, f"{CALLED} output.shape[0] == 2")
    found = outside_as_shipped(harness, replace(trap, source=trap.source.replace(SAID, "no such thing")), bench)
    assert found.state == "failed"
    assert found.detail.startswith(f"{INSIDE} passes the guard, and never comes to the variant: wrong: ")


@pytest.mark.parametrize("factor", ["1.0000001", "1.0"])
def test_a_last_bit_counts(harness: Harness, bench: Bench, factor: str) -> None:
    """Far below what the gate lets pass as rounding."""
    found = outside_as_shipped(harness, trapped(harness, "output.shape[0] == 2", sum_=f"{SUM} * {factor}"), bench)
    assert found.state == ("passed" if factor == "1.0" else "failed")
    assert found.state == "passed" or found.detail.startswith("results differ from the shipped code's by ")


def test_what_does_not_build_is_said(harness: Harness, bench: Bench) -> None:
    found = outside_as_shipped(harness, trapped(harness, "False", sum_="out = not_there"), bench)
    assert found.state == "failed"
    assert "not_there" in found.detail
