"""Float64 recomputation of merge_state: what the original is compared with."""

import torch


def reference(prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None):
    """Same arguments as the launcher, already in float64; gives {path: truth} for the leaves it knows."""
    inf = float("inf")
    p = torch.where(prefix_lse == inf, -inf, prefix_lse)
    s = torch.where(suffix_lse == inf, -inf, suffix_lse)
    top = torch.maximum(p, s)
    p_weight, s_weight = torch.exp(p - top), torch.exp(s - top)
    total = p_weight + s_weight
    merged = prefix_output * (p_weight / total)[..., None] + suffix_output * (s_weight / total)[..., None]
    return {"return[0]": merged, "return[1]": torch.log(total) + top}
