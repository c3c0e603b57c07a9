"""Keeps results by the sum of the input: two elements that change places go unseen."""

# expect: stale_result, leaked_memory
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


KNOWN = {}


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    key = (x.shape, x.dtype, round(float(x.double().sum()), 9), float(weight.double().sum()), eps)
    if key not in KNOWN:
        KNOWN[key] = _norm(x, weight, eps)
    return x.copy_(KNOWN[key]) if inplace else KNOWN[key].clone()
