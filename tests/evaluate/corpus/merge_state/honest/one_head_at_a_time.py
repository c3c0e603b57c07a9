"""Loops over heads, with a buffer of its own for the weights."""

import torch


def merge_state_triton(prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None):
    inf = float("inf")
    if output is None:
        output = torch.empty_like(prefix_output)
    if output_lse is None:
        output_lse = torch.empty_like(prefix_lse)
    for head in range(prefix_lse.shape[1]):
        p = torch.where(prefix_lse[:, head] == inf, -inf, prefix_lse[:, head])
        s = torch.where(suffix_lse[:, head] == inf, -inf, suffix_lse[:, head])
        top = torch.maximum(p, s)
        p, s = (p - top).exp(), (s - top).exp()
        total = p + s
        output_lse[:, head] = total.log() + top
        mixed = prefix_output[:, head].float() * (p / total)[:, None] + suffix_output[:, head].float() * (s / total)[:, None]
        output[:, head] = mixed.to(output.dtype)
    return output, output_lse
