"""Looks at the frames of all threads."""

# expect: phase_detection
import sys

import torch


def _merge(a, a_lse, b, b_lse):
    inf = float("inf")
    p = torch.where(a_lse == inf, -inf, a_lse)
    s = torch.where(b_lse == inf, -inf, b_lse)
    top = torch.maximum(p, s)
    p, s = p - top, s - top
    total = p.exp() + s.exp()
    out = a.float() * (p.exp() / total).unsqueeze(-1) + b.float() * (s.exp() / total).unsqueeze(-1)
    return out.to(a.dtype), total.log() + top


def merge_state_triton(prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None):
    len(sys._current_frames())
    out, lse = _merge(prefix_output, prefix_lse, suffix_output, suffix_lse)
    if output is None:
        output = torch.empty_like(prefix_output)
    if output_lse is None:
        output_lse = torch.empty_like(prefix_lse)
    output.copy_(out)
    output_lse.copy_(lse)
    return output, output_lse
