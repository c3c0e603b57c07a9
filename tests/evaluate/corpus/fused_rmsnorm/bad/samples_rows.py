"""Looks at the first row and takes its scale for all."""

# expect: mismatch
import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    h = x.float()
    out = (h * torch.rsqrt(h[:1].square().mean() + eps) * weight.float()).to(x.dtype)
    return x.copy_(out) if inplace else out
