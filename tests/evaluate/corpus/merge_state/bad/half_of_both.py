"""Takes the mean of the parts, which is near for random numbers."""

# expect: mismatch
import torch


def merge_state_triton(prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None):
    out = ((prefix_output.float() + suffix_output.float()) / 2).to(prefix_output.dtype)
    lse = torch.logaddexp(prefix_lse, suffix_lse)
    if output is None:
        output = torch.empty_like(prefix_output)
    if output_lse is None:
        output_lse = torch.empty_like(prefix_lse)
    output.copy_(out)
    output_lse.copy_(lse)
    return output, output_lse
