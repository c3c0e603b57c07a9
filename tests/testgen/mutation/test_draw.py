from __future__ import annotations

import json
from pathlib import Path

import pytest

from kmaint import wire
from kmaint.expression import evaluate
from kmaint.records.workload import Argument, Axis, Contract
from testgen.mutation import drawn
from testgen.mutation.draw import MOST, MOST_ROWS

CASES = Path(__file__).parents[1] / "cases"


@pytest.mark.parametrize("name", ["merge_state", "reshape_and_cache"])
def test_drawn_cases_are_cases_of_the_contract_in_every_layout(name: str) -> None:
    contract = wire.load(Contract, json.loads((CASES / name / "workloads.json").read_text()))
    found = drawn(contract, 60, 1)
    assert len(found) == 60 and found == drawn(contract, 60, 1) != drawn(contract, 60, 2)
    for case in found:
        assert set(case) == {axis.name for axis in contract.axes} | {"layout", "seed"}
        assert all(evaluate(constraint, case) for constraint in contract.constraints)
    layouts = {layout for argument in contract.arguments for layout in argument.layouts if argument.kind == "tensor"}
    assert {case["layout"] for case in found} == layouts


def test_sizes_go_beyond_those_of_the_suite_but_stay_bounded() -> None:
    axes = (Axis(name="T", low=0, high=100_000), Axis(name="H", choices=(2, 8)), Axis(name="D", low=1, high=100_000))
    tensor = Argument(name="x", kind="tensor", shape=("T", "H", "D"), dtype="float32")
    found = drawn(Contract(axes=axes, arguments=(tensor,)), 200, 1)
    assert max(case["T"] * case["H"] for case in found) == MOST_ROWS
    assert 128 < max(case["D"] for case in found) <= MOST
    assert {case["T"] for case in found} >= {0, 1, 2}
    sizes = [max(1, case["T"]) * case["H"] * case["D"] for case in found]
    assert sizes == sorted(sizes)


def test_of_choices_only_the_largest_are_left_out() -> None:
    axes = (Axis(name="T", choices=(250_000, 2, 2048)), Axis(name="V", choices=(128_256, 256_000)))
    found = drawn(Contract(axes=axes, arguments=()), 40, 1)
    assert ({case["T"] for case in found}, {case["V"] for case in found}) == ({2, 2048}, {128_256})


def test_a_contract_that_admits_nothing_gives_nothing() -> None:
    contract = Contract(axes=(Axis(name="T", low=1, high=9),), arguments=(), constraints=("T > 9",))
    assert drawn(contract, 10, 1) == []
