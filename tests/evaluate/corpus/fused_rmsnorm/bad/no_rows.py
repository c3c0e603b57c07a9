"""Fails where there is no row."""

# expect: mismatch
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = torch.stack([_norm(row[None], weight, eps)[0] for row in x])
    return x.copy_(out) if inplace else out
