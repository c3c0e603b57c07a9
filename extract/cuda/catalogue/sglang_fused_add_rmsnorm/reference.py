"""Float64 recomputation of adding a residual and normalising by the root of the mean square, both in place."""

import torch


def reference(input, residual, weight, eps, cast_x_before_out_mul):
    """Arguments as the operator's, floating ones in float64; gives the truth of each leaf by its path."""
    total = input + residual
    normed = total * torch.rsqrt(total.square().mean(dim=-1, keepdim=True) + eps)
    return {"argument input": normed * weight, "argument residual": total}
