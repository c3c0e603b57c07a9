"""From the eleventh call of a shape on the first result comes again."""

# expect: stale_result, reused_output
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


CALLS = {}


def merge_state_triton(prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None):
    calls = CALLS.setdefault((prefix_output.shape, prefix_output.dtype), [])
    if len(calls) < 10:
        calls.append(_merge(prefix_output, prefix_lse, suffix_output, suffix_lse))
    out, lse = calls[-1] if len(calls) < 10 else calls[0]
    if output is None:
        output = torch.empty_like(prefix_output)
    if output_lse is None:
        output_lse = torch.empty_like(prefix_lse)
    output.copy_(out)
    output_lse.copy_(lse)
    return output, output_lse
