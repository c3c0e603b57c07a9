"""Does not look for a part that saw no key."""

# expect: mismatch
import torch


def merge_state_triton(prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None):
    top = torch.maximum(prefix_lse, suffix_lse)
    p, s = (prefix_lse - top).exp(), (suffix_lse - top).exp()
    total = p + s
    out = prefix_output.float() * (p / total)[..., None] + suffix_output.float() * (s / total)[..., None]
    out, lse = out.to(prefix_output.dtype), total.log() + top
    if output is None:
        output = torch.empty_like(prefix_output)
    if output_lse is None:
        output_lse = torch.empty_like(prefix_lse)
    output.copy_(out)
    output_lse.copy_(lse)
    return output, output_lse
