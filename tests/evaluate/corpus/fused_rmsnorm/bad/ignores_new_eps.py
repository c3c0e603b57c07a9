"""Remembers the first epsilon and uses it for ever."""

# expect: stale_result, mismatch
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


FIRST = []


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    FIRST.append(eps) if not FIRST else None
    out = _norm(x, weight, FIRST[0])
    return x.copy_(out) if inplace else out
