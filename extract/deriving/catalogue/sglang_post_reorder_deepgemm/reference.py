"""Float64 recomputation of post_reorder_deepgemm: each token the sum of its experts' rows by their weights, scaled."""

import torch


def reference(
    down_output,
    output,
    src2dst,
    topk_ids,
    topk_weights,
    topk,
    num_tokens,
    hidden_size,
    routed_scaling_factor,
):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    rows = down_output[src2dst.long()] * topk_weights[..., None]
    rows = torch.where((topk_ids >= 0)[..., None], rows, 0.0)
    return {"argument output": rows.sum(dim=1) * routed_scaling_factor}
