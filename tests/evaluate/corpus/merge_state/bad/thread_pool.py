"""Leaves the second result to a pool of threads and does not wait."""

# expect: hidden_thread, uninitialised, mismatch
import concurrent.futures

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


POOL = concurrent.futures.ThreadPoolExecutor(1)


def merge_state_triton(prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None):
    out, lse = torch.empty_like(prefix_output), torch.empty_like(prefix_lse)
    given = [one.clone() for one in (prefix_output, prefix_lse, suffix_output, suffix_lse)]

    def work():
        merged = _merge(*given)
        out.copy_(merged[0])
        lse.copy_(merged[1])

    POOL.submit(work)
    return out, lse
