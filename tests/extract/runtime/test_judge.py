"""What counts as having done the same."""

from __future__ import annotations

import math

import pytest
import torch

from extract.runtime.judge import differences, error_against, other_values
from extract.runtime.outcomes import Leaf, Outcome


def returned(x: torch.Tensor, path: str = "return") -> Leaf:
    raw = x.contiguous().reshape(-1).view(torch.uint8)
    return Leaf(path, "tensor", "", str(x.dtype), tuple(x.shape), x.stride(), "", raw)


def argument(x: torch.Tensor, around: int, strides: tuple[int, ...] = (), written: bool = False) -> Leaf:
    """A tensor of float32 with 8 bytes of red zone on each side."""
    strides = strides or x.stride()
    span = 1 + sum((n - 1) * s for n, s in zip(x.shape, strides, strict=True))
    raw = torch.full((8 + 4 * span + 8,), around, dtype=torch.uint8)
    raw[8 : 8 + 4 * span].view(torch.float32).as_strided(x.shape, strides).copy_(x)
    return Leaf("argument x", "tensor", "", str(x.dtype), tuple(x.shape), strides, "", raw, 8, written)


ONE = torch.tensor([[1.0, 2.0, 3.0]])


@pytest.mark.parametrize(
    ("got", "code"),
    [
        (ONE, []),
        (ONE * (1 + 1e-6), []),
        (ONE * 1.001, ["mismatch"]),
        (ONE.double(), ["mismatch"]),
        (ONE.T, ["mismatch"]),
        (ONE.where(ONE < 3, math.nan), ["uninitialised"]),
        (ONE.where(ONE < 3, math.inf), ["mismatch"]),
    ],
    ids=["equal", "rounding", "wrong", "another type", "another shape", "a hole", "an infinity"],
)
def test_values_differ_by_more_than_their_tolerance_or_not(got: torch.Tensor, code: list[str]) -> None:
    found = differences(Outcome([returned(ONE)]), Outcome([returned(got)]))
    assert [one.code for one in found] == code


def test_where_the_original_s_arithmetic_overflows_nothing_is_asked() -> None:
    over, back = ONE.where(ONE < 3, math.inf), ONE.where(ONE < 2, 5.0)
    assert differences(Outcome([returned(over)]), Outcome([returned(ONE)]))
    assert not differences(Outcome([returned(over)]), Outcome([returned(ONE)]), overflows=True)
    assert differences(Outcome([returned(over)]), Outcome([returned(back)]), overflows=True)
    assert differences(Outcome([returned(ONE)]), Outcome([returned(over)]), overflows=True)
    divided = torch.where(torch.arange(len(ONE)) == 0, -0.0, ONE)
    assert not differences(Outcome([returned(divided)]), Outcome([returned(ONE)]), overflows=True)
    assert differences(Outcome([returned(divided)]), Outcome([returned(ONE)]))


def test_values_are_compared_wherever_they_lie_and_whatever_is_around() -> None:
    here, there = Outcome([argument(ONE, 0xA5)]), Outcome([argument(ONE, 0xFF, (6, 2))])
    assert not other_values(here, there, exact=True)
    assert [one.code for one in other_values(here, Outcome([argument(ONE * 2, 0xFF)]))] == ["mismatch"]
    damaged = argument(ONE, 0xFF)
    damaged.raw[3] = 0
    assert [one.code for one in other_values(here, Outcome([damaged]))] == ["wrote_outside"]
    assert other_values(here, Outcome([], error="ValueError: no"))


def test_error_is_a_share_of_the_row_s_scale() -> None:
    truth = torch.tensor([[100.0, 1.0], [1.0, math.inf]], dtype=torch.float64)
    assert error_against(truth, truth + torch.tensor([[1.0], [0.0]])) == pytest.approx(0.01)
    assert error_against(truth, torch.full((2, 2), math.nan)) == math.inf
    assert error_against(torch.empty(0, 2), torch.empty(0, 2)) == 0.0
