"""What a wrong result is called: a slip, a shorter mantissa, or what an earlier call gave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from .calls import outcomes
from .plan import Probe

LOW_PRECISION = 2.0**-5
"""Errors below this part of a row's scale, without a direction, are those of a shorter mantissa."""


def named(probe: Probe, found: Any, want: Any, got: Any, earlier: list[Any]) -> str:
    """The code of a difference: its own, unless it is a wrong result, which says more where calls went before it."""
    if found.code != "mismatch" or want.error or got.error:
        return str(found.code)
    if probe.kind == "single":
        return "less_accurate" if rounded(want, got) else "mismatch"
    if any(_repeats(want, got, one) for one in earlier):
        return "stale_result"
    return probe.otherwise


def _pairs(want: Any, got: Any) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Results as tensors, where both have them of one kind."""
    right = {leaf.path: leaf for leaf in got.leaves}
    for leaf in want.leaves:
        other = right.get(leaf.path)
        if other is None or leaf.kind != "tensor" or (leaf.dtype, leaf.shape) != (other.dtype, other.shape):
            continue
        if leaf.path.startswith("argument") and not leaf.written:
            continue
        yield outcomes.tensor_of(leaf), outcomes.tensor_of(other)


def rounded(want: Any, got: Any) -> bool:
    """Whether the results differ everywhere a little and without a direction, as with a shorter mantissa."""
    seen = False
    for left, right in _pairs(want, got):
        if not left.is_floating_point() or not left.numel() or torch.equal(left, right):
            continue
        left, right = left.double(), right.double()
        if not bool((left.isfinite() == right.isfinite()).all()):
            return False
        error = ((right - left) / left.abs().amax(dim=-1, keepdim=True).clamp_min(1e-30)).nan_to_num()
        spread = float(error.square().mean().sqrt())
        if float(error.abs().max()) > LOW_PRECISION or abs(float(error.mean())) > spread / 3:
            return False
        if float((error != 0).double().mean()) < 1 / 4 or _follows(error, left):
            return False
        seen = True
    return seen


def _follows(error: torch.Tensor, values: torch.Tensor) -> bool:
    """Whether the error grows with the value along a row, as with another factor: rounding has no such bond."""
    values = values.nan_to_num(posinf=0.0, neginf=0.0)
    size = (error.square().sum(-1) * values.square().sum(-1)).sqrt()
    bond = (error * values).sum(-1).abs() / size.clamp_min(1e-300)
    return float(bond[size > 0].mean()) > 1 / 2


def _repeats(want: Any, got: Any, earlier: Any) -> bool:
    """Whether most of what is wrong is what an earlier call gave; noughts are nobody's in particular."""
    wrong = same = 0
    before = {leaf.path: leaf for leaf in earlier.leaves}
    for (left, right), leaf in zip(_pairs(want, got), written(want), strict=False):
        other = before.get(leaf.path)
        if other is None or (other.shape, other.dtype) != (leaf.shape, leaf.dtype):
            continue
        off = left != right
        wrong += int(off.sum())
        same += int((off & (right != 0) & (right == outcomes.tensor_of(other))).sum())
    return wrong > 0 and same > wrong / 2


def written(outcome: Any) -> Iterator[Any]:
    """Tensors that a call gave back or changed."""
    for leaf in outcome.leaves:
        if leaf.kind == "tensor" and (leaf.written or not leaf.path.startswith("argument")):
            yield leaf
