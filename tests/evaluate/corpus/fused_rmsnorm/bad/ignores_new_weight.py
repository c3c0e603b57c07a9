"""Keeps what the weight gave by shape alone: a new weight is not looked at."""

# expect: stale_result, mismatch
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


WEIGHTS = {}


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    key = (weight.shape, weight.dtype, weight.data_ptr())
    wide = WEIGHTS.setdefault(key, weight.float().clone())
    out = _norm(x, wide, eps)
    return x.copy_(out) if inplace else out
