"""Float64 recomputation of merge_attn_states: two attention parts weighed by their sums of exponentials."""

import torch


def reference(
    output,
    output_lse,
    prefix_output,
    prefix_lse,
    suffix_output,
    suffix_lse,
    prefill_tokens_with_context=None,
    output_scale=None,
):
    """Arguments as the operator's, floating ones in float64; gives the truth of each leaf by its path."""
    infinity = float("inf")
    tokens = output.shape[0]
    prefix = torch.where(prefix_lse == infinity, -infinity, prefix_lse)
    suffix = torch.where(suffix_lse == infinity, -infinity, suffix_lse)
    top = torch.maximum(prefix, suffix)
    empty = top == -infinity
    prefix_weight, suffix_weight = torch.exp(prefix - top), torch.exp(suffix - top)
    total = prefix_weight + suffix_weight
    merged = prefix_output * (prefix_weight / total).T[..., None] + suffix_output * (suffix_weight / total).T[..., None]
    merged = torch.where(empty.T[..., None], prefix_output, merged)  # without a key on either side the prefix is copied
    merged_lse = torch.where(empty, -infinity, torch.log(total) + top)
    with_context = tokens if prefill_tokens_with_context is None else prefill_tokens_with_context
    copied = torch.arange(tokens, device=output.device) >= with_context
    merged = torch.where(copied[:, None, None], suffix_output, merged)
    truth = {"argument output": merged}
    if output_lse is not None:
        truth["argument output_lse"] = torch.where(copied[None, :], suffix_lse, merged_lse)
    return truth
