"""What rounding may do to a result, by type: none is chosen after the fact, and each has its reason beside it.

Copied unchanged into every harness.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Tolerance:
    """|candidate - original| <= relative * |original| + absolute * (largest finite magnitude of the row)."""

    relative: float
    absolute: float
    reason: str


TOLERANCES = {
    torch.float64: Tolerance(1e-12, 1e-13, "another order of summation in float64"),
    torch.float32: Tolerance(1e-5, 2e-6, "another order of summation, or exp2 for exp: a few ulp of float32"),
    torch.float16: Tolerance(2e-3, 2e-4, "one rounding to float16 more or less: 2^-10 relative"),
    torch.bfloat16: Tolerance(1.6e-2, 1e-3, "one rounding to bfloat16 more or less: 2^-7 relative"),
    torch.float8_e4m3fn: Tolerance(0.126, 1e-3, "one code of e4m3 up or down: 2^-3 relative"),
    torch.float8_e5m2: Tolerance(0.26, 1e-3, "one code of e5m2 up or down: 2^-2 relative"),
}

INTERPRETER_CANNOT_JUDGE = (torch.float8_e4m3fn, torch.float8_e5m2)
"""The Triton interpreter's cast to fp8 (3.6.0 to 3.9.0) loses mantissa carries, so that 1.97 becomes 1.0, adds up to
the smallest normal number to subnormal ones, and makes anything large of what is too large: what no such slip explains
is told apart; more than that is judged on a GPU only."""


def alike_but_for_slips(want: torch.Tensor, got: torch.Tensor) -> torch.Tensor:
    """Where two casts to fp8 may be of about the same number: a step apart, or by INTERPRETER_CANNOT_JUDGE."""
    kind = torch.finfo(want.dtype)
    left, right = want.double(), got.double()
    less, more = torch.minimum(left.abs(), right.abs()), torch.maximum(left.abs(), right.abs())
    large = torch.stack([~(one.abs() < kind.max / 2) for one in (left, right)])  # or no number
    near = (left - right).abs() <= torch.clamp(kind.eps * more, min=kind.tiny)
    power = (torch.frexp(less).mantissa == 0.5) & (left * right > 0)
    carried = power & (more >= (2 - 2 * kind.eps) * less) & (more <= 2 * less)
    return near | carried | (large[0] & large[1])


def row_scale(x: torch.Tensor) -> torch.Tensor:
    """Largest finite magnitude along the last axis, for broadcasting; a tiny number where all is zero."""
    magnitude = torch.where(x.isfinite(), x.abs(), 0.0)
    scale = magnitude.amax(dim=-1, keepdim=True) if x.dim() and x.shape[-1] else magnitude
    return scale.clamp_min(torch.finfo(torch.float32).tiny)
