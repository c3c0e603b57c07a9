"""Float64 recomputation of rms_norm over the last dimension."""

import torch


def reference(input, weight, eps=1e-6):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    mean = (input * input).mean(dim=-1, keepdim=True)
    return {"return": input / torch.sqrt(mean + eps) * weight}
