"""Keeps every result for ever."""

# expect: leaked_memory
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


KEPT = []


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    KEPT.append(out.clone())
    return x.copy_(out) if inplace else out
