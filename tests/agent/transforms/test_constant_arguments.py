"""What the launches fix becomes a constant; what follows the traffic would be compiled anew each time and does not."""

from __future__ import annotations

import pytest

from kmaint.agent.transforms.base import NotApplicable, Subject
from kmaint.agent.transforms.constant_arguments import DIVIDED, STRIDED, constant_divisors, constant_strides
from kmaint.records.workload import Argument, Axis, Contract, Workload

NOTHING = Contract(axes=(), arguments=())


def subject(source: str, contract: Contract = NOTHING) -> Subject:
    return Subject(source=source, kernel="kernel", entry="launch", contract=contract)


def contract(*shape: str) -> Contract:
    """x of that shape, timed at two numbers of tokens."""
    workloads = tuple(
        Workload(name=f"T{T}", axes={"T": T, "H": 64}, weight=0.5, origin="derived", source="a test") for T in (1, 64)
    )
    return Contract(
        axes=(Axis(name="T", low=0, high=9), Axis(name="H", choices=(64,))),
        arguments=(Argument(name="x", kind="tensor", shape=shape),),
        workloads=workloads,
    )


def test_a_stride_that_grows_with_the_tokens_stays_a_number() -> None:
    assert len(constant_strides(subject(STRIDED, contract("T", "H")))) == 1
    with pytest.raises(NotApplicable) as error:
        constant_strides(subject(STRIDED, contract("H", "2*T")))
    assert str(error.value) == "no parameter is a fixed stride that every launch reads off a tensor"


def test_a_stride_through_a_variable_counts_too() -> None:
    source = STRIDED.replace("x.stride(0), triton", "wide, triton").replace(
        "    rows, col", "    wide = x.stride()[0]\n    rows, col"
    )
    (variant,) = constant_strides(subject(source))
    assert "stride: tl.constexpr" in variant.source


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("columns, stride, BLOCK", "columns, stride: tl.int64, BLOCK"),
        ("row * stride + offsets, mask", "row * stride.to(tl.int64) + offsets, mask"),
        ("    row = tl.", "    stride = stride * 1\n    row = tl."),
        ("@triton.jit\n", '@triton.jit(do_not_specialize=["stride"])\n'),
        ("x.stride(0), triton", "columns, triton"),
    ],
)
def test_a_stride_with_a_type_or_another_use_is_left_alone(old: str, new: str) -> None:
    with pytest.raises(NotApplicable):
        constant_strides(subject(STRIDED.replace(old, new)))


@pytest.mark.parametrize("size", ["x.shape[0]", "x.numel() // 2", "len(x)", "triton.cdiv(x.shape[1], 2)"])
def test_a_divisor_that_follows_the_traffic_stays_a_number(size: str) -> None:
    with pytest.raises(NotApplicable) as error:
        constant_divisors(subject(DIVIDED.replace("x.numel(), x.shape[1],", f"x.numel(), {size},")))
    assert str(error.value) == "no index is divided by a parameter whose size does not follow the traffic"
