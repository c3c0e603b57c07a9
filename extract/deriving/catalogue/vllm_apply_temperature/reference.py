"""Float64 recomputation of apply_temperature: each row over its request's temperature, unless that is 0."""

import torch


def reference(logits, expanded_idx_mapping, temperature):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    each = temperature[expanded_idx_mapping.long()]
    each = torch.where(each == 0.0, 1.0, each)
    return {"argument logits": logits / each[:, None]}
