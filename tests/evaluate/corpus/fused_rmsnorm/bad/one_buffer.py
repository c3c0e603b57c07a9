"""Writes every result into one buffer that it owns."""

# expect: reused_output
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


BUFFERS = {}


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    if inplace:
        return x.copy_(out)
    key = (x.shape, x.dtype)
    return BUFFERS.setdefault(key, torch.empty_like(x)).copy_(out)
