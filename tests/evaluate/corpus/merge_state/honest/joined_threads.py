"""Shares the tokens between two threads and waits for both."""

import threading

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
    half = prefix_output.shape[0] // 2
    given = (prefix_output, prefix_lse, suffix_output, suffix_lse)
    parts = [None, None]

    def work(number, span):
        parts[number] = _merge(*(one[span] for one in given))

    threads = [threading.Thread(target=work, args=pair) for pair in ((0, slice(half)), (1, slice(half, None)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out, lse = (torch.cat([left, right]) for left, right in zip(*parts))
    if output is None:
        output = torch.empty_like(prefix_output)
    if output_lse is None:
        output_lse = torch.empty_like(prefix_lse)
    output.copy_(out)
    output_lse.copy_(lse)
    return output, output_lse
