"""Leaves the work to an alarm that goes off once it has returned."""

# expect: tampered, changed_after_return, uninitialised
import signal

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


LEFT = []


def _work(*_):
    while LEFT:
        output, output_lse, given = LEFT.pop()
        out, lse = _merge(*given)
        output.copy_(out)
        output_lse.copy_(lse)


signal.signal(signal.SIGALRM, _work)


def merge_state_triton(prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None):
    output, output_lse = torch.empty_like(prefix_output), torch.empty_like(prefix_lse)
    LEFT.append((output, output_lse, (prefix_output, prefix_lse, suffix_output, suffix_lse)))
    signal.setitimer(signal.ITIMER_REAL, 1e-6)
    return output, output_lse
