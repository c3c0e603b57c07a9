"""Computes float32 in float16."""

# expect: less_accurate
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x.half(), weight.half(), eps).to(x.dtype)
    return x.copy_(out) if inplace else out
