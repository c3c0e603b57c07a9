"""Float64 recomputation of the second half of split decode attention: parts weighed by their log-sum-exp."""

import torch

KEYS = 32
"""A part holds a multiple of these."""


def reference(logits, lse, o, v_scale, kv_indptr, num_kv_splits, sinks=None, **_others):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    lengths = (kv_indptr[1:] - kv_indptr[:-1]).long()[:, None]
    splits = num_kv_splits.long()[:, None]
    held = (lengths + splits * KEYS - 1) // (splits * KEYS) * KEYS
    read = torch.arange(lse.shape[2], device=lse.device) * held < lengths  # [sequences, parts]
    weights = torch.where(read[:, None], lse, -torch.inf)
    most = weights.amax(dim=2, keepdim=True)
    weights = torch.where(read[:, None], torch.exp(weights - most), 0.0)
    parts = torch.where(read[:, None, :, None], logits, 0.0)
    total = weights.sum(dim=2, keepdim=True)
    if sinks is not None:
        total = total + torch.exp(sinks[None, :, None] - most)
    return {"argument o": torch.einsum("bhs,bhsd->bhd", weights, parts) / total * v_scale}
