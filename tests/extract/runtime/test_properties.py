"""Each property's comparison, on outcomes of which it is known whether they break it."""

from __future__ import annotations

import dataclasses
import math

import torch

from extract.runtime.judge import Difference
from extract.runtime.outcomes import Leaf, Outcome
from extract.runtime.properties import broken, leading, recoded, rolled_back, unwritten, wide


def returned(x: torch.Tensor, path: str = "return") -> Leaf:
    raw = x.contiguous().reshape(-1).view(torch.uint8)
    return Leaf(path, "tensor", "", str(x.dtype), tuple(x.shape), x.stride(), "", raw)


def argument(x: torch.Tensor, name: str = "x", *, written: bool = False) -> Leaf:
    """A tensor with 8 bytes of red zone on each side."""
    inner = x.contiguous().reshape(-1).view(torch.uint8)
    zone = torch.full((8,), 0xA5, dtype=torch.uint8)
    leaf = returned(x, f"argument {name}")
    return dataclasses.replace(leaf, raw=torch.cat([zone, inner, zone]), start=8, written=written)


ROWS = torch.arange(12.0).view(4, 3)


def codes(found: list[Difference]) -> list[str]:
    return [one.code for one in found]


def test_a_call_that_fails_or_does_nothing_or_too_much_is_broken() -> None:
    assert not broken(Outcome([returned(ROWS)]))
    assert codes(broken(Outcome([argument(ROWS)]))) == ["mismatch"]
    assert codes(broken(Outcome([], "ValueError: no"))) == ["mismatch"]
    assert codes(broken(Outcome([returned(ROWS)], overrun="3 bytes"))) == ["wrote_outside"]
    past = argument(ROWS, written=True)
    past.raw[2] = 0
    assert codes(broken(Outcome([past]))) == ["wrote_outside"]


def test_nan_where_the_original_has_a_number_was_never_written() -> None:
    hole = ROWS.where(ROWS < 11, math.nan)
    assert codes(unwritten(Outcome([returned(ROWS)]), Outcome([returned(hole)]))) == ["uninitialised"]
    assert not unwritten(Outcome([returned(hole)]), Outcome([returned(hole)]))


def test_the_leading_rows_of_a_larger_batch_are_those_of_the_smaller() -> None:
    larger = leading(Outcome([returned(ROWS), argument(ROWS[0])]), 4, 2)
    (leaf,) = larger.leaves
    assert leaf.shape == (2, 3)
    assert torch.equal(leaf.raw.view(torch.float32).view(2, 3), ROWS[:2])


def test_a_row_of_one_element_without_a_stride_can_be_read() -> None:
    (leaf,) = leading(Outcome([returned(torch.ones(1).expand(4))]), 4, 1).leaves
    assert (leaf.shape, leaf.raw.numel()) == ((1,), 4)


def test_rows_in_another_order_are_the_same_rows() -> None:
    straight = Outcome([returned(ROWS), argument(ROWS, written=True)])
    rolled = Outcome([returned(ROWS.roll(3, 0)), argument(ROWS.roll(3, 0), written=True)])
    assert not rolled_back(straight, rolled, 4, 3)
    assert codes(rolled_back(straight, rolled, 4, 2)) == ["mismatch", "mismatch"]


def test_truth_is_what_was_computed_in_floating_point() -> None:
    found = wide(
        Outcome([returned(ROWS), argument(ROWS, "out", written=True), argument(ROWS, "x"), returned(ROWS.int(), "n")])
    )
    assert set(found) == {"return", "argument out"}
    assert all(x.dtype == torch.float64 for x in found.values())


def test_damage_keeps_its_code() -> None:
    found = recoded("stream", [Difference("mismatch", "a"), Difference("wrote_outside", "b")])
    assert codes(found) == ["stream", "wrote_outside"]
