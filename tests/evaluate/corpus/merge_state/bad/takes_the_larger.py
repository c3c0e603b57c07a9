"""Gives the part with the larger weight."""

# expect: mismatch
import torch


def merge_state_triton(prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None):
    out = torch.where((prefix_lse > suffix_lse)[..., None], prefix_output, suffix_output)
    lse = torch.logaddexp(prefix_lse, suffix_lse)
    if output is None:
        output = torch.empty_like(prefix_output)
    if output_lse is None:
        output_lse = torch.empty_like(prefix_lse)
    output.copy_(out)
    output_lse.copy_(lse)
    return output, output_lse
