"""Keeps results by the address of the input."""

# expect: stale_result, reused_output
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


KNOWN = {}


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    key = (x.data_ptr(), x.shape, x.dtype)
    if key not in KNOWN:
        KNOWN[key] = _norm(x, weight, eps)
    return x.copy_(KNOWN[key]) if inplace else KNOWN[key].clone()
