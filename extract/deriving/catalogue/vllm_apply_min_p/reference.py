"""Float64 recomputation of apply_min_p: what is less likely than min_p times the likeliest becomes -inf."""

import torch


def reference(logits, expanded_idx_mapping, min_p):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    each = min_p[expanded_idx_mapping.long()]
    threshold = logits.amax(dim=-1, keepdim=True) + each.log()[:, None]
    return {"argument logits": torch.where(logits < threshold, float("-inf"), logits)}
