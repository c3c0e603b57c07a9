"""Float64 recomputation of RMS normalisation."""

import torch


def reference(x, weight, eps, autotune=False, inplace=False):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    normalised = x / torch.sqrt(x.square().mean(dim=-1, keepdim=True) + eps) * weight
    return {"return": normalised, **({"argument x": normalised} if inplace else {})}
