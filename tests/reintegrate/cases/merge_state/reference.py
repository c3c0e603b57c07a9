"""Float64 recomputation of merge_state: two attention parts weighed by their sums of exponentials."""

import torch


def reference(prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None):
    """Arguments as the launcher's, already in float64; gives the truth of each leaf by its path."""
    infinity = float("inf")
    prefix = torch.where(prefix_lse == infinity, -infinity, prefix_lse)
    suffix = torch.where(suffix_lse == infinity, -infinity, suffix_lse)
    top = torch.maximum(prefix, suffix)
    prefix_weight, suffix_weight = torch.exp(prefix - top), torch.exp(suffix - top)
    total = prefix_weight + suffix_weight
    merged = prefix_output * (prefix_weight / total)[..., None] + suffix_output * (suffix_weight / total)[..., None]
    return {"return[0]": merged, "return[1]": torch.log(total) + top}
