"""Float64 recomputation of log_softmax along the last dimension."""

import torch


def reference(input, dim=-1):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    return {"return": torch.log_softmax(input, dim=-1)}
