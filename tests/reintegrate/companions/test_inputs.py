"""Arguments as source: lines of torch that say what the contract says, or the reason why there are none."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kmaint.folder import read_harness
from kmaint.records.harness import Harness
from kmaint.records.workload import Argument, Axis
from reintegrate.companions.inputs import NotPlainError, make_inputs, refuse_narrow, small_cases

CASE = read_harness(Path(__file__).parents[1] / "cases" / "merge_state")


def having(*arguments: Argument, axes: tuple[Axis, ...] = ()) -> Harness:
    return replace(CASE, contract=replace(CASE.contract, arguments=arguments, axes=axes or CASE.contract.axes))


def test_the_source_makes_what_the_contract_says() -> None:
    harness = having(
        Argument(name="x", kind="tensor", shape=("T", "cdiv(D, 32)"), dtype="DT"),
        Argument(name="slots", kind="tensor", shape=("T",), dtype="int64", values="slots", bound="2*T"),
        Argument(name="lse", kind="tensor", shape=("T",), dtype="float32", values="log_sum_exp", when="H > 1"),
        Argument(name="window", kind="value", value={"tuple": [-1, "=D"]}),
        Argument(name="out_dtype", kind="value", value={"dtype": "DT"}),
    )
    names: dict[str, object] = {"torch": torch}
    exec(make_inputs(harness), names)
    made = names["make_inputs"](3, 1, 80, torch.bfloat16, "cpu")  # type: ignore[operator]
    assert (made["x"].shape, made["x"].dtype) == ((3, 3), torch.bfloat16)
    assert len(set(made["slots"].tolist())) == 3
    assert (made["lse"], made["window"], made["out_dtype"]) == (None, (-1, 80), torch.bfloat16)


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        (Argument(name="x", kind="tensor", shape=("T",), values="cumulative"), "the contents of x are cumulative"),
        (Argument(name="x", kind="tensor", shape=("T",), strides=("2",)), "x is a view with strides of its own"),
        (Argument(name="x", kind="tensor", shape=("itemsize(DT)",)), "'itemsize(DT)' uses itemsize"),
        (Argument(name="x", kind="value", value={"triton": "bfloat16"}), '{"triton": "bfloat16"} is no plain value'),
    ],
)
def test_what_no_line_of_torch_gives_is_told(argument: Argument, reason: str) -> None:
    with pytest.raises(NotPlainError) as refused:
        make_inputs(having(argument))
    assert str(refused.value).startswith(reason)


def test_outputs_of_eight_bits_have_no_tolerance() -> None:
    quantised = Axis(name="Q", choices=("float8_e4m3fn", "int8"))
    harness = having(Argument(name="dtype", kind="value", value={"dtype": "Q"}), axes=(quantised,))
    with pytest.raises(NotPlainError, match="dtype makes it write float8_e4m3fn"):
        refuse_narrow(harness)


def test_small_cases_are_small_and_each_different() -> None:
    found = small_cases(CASE)
    assert len(found) == 8
    assert all(found.count(one) == 1 for one in found)
    assert {one["DT"] for one in found} == {"bfloat16", "float16", "float32"}
    assert max(int(one["T"]) * int(one["H"]) * int(one["D"]) for one in found) <= 1 << 14
