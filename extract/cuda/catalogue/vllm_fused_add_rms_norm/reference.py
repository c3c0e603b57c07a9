"""Float64 recomputation of adding a residual and normalising by the root of the mean square, both in place."""

import torch


def reference(input, residual, weight, epsilon):
    """Arguments as the operator's, floating ones in float64; gives the truth of each leaf by its path."""
    total = input + residual
    normed = total * torch.rsqrt(total.square().mean(dim=-1, keepdim=True) + epsilon)
    return {"argument input": normed if weight is None else normed * weight, "argument residual": total}
