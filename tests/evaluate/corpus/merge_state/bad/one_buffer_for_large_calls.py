"""Returns the same memory for all calls of more than half a thousand tokens."""

# expect: mismatch, aliased_output, reused_output
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


KEPT = {}


def merge_state_triton(prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None):
    out, lse = _merge(prefix_output, prefix_lse, suffix_output, suffix_lse)
    if len(out) < 1 << 9:
        return out, lse
    kept = KEPT.setdefault((out.shape, out.dtype), (torch.empty_like(out), torch.empty_like(lse)))
    return kept[0].copy_(out), kept[1].copy_(lse)
