"""Adds up the squares by a product with ones."""

import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    h = x.float()
    total = h.square() @ torch.ones(x.shape[1], 1, device=x.device)
    out = (h * torch.rsqrt(total / x.shape[1] + eps) * weight.float()).to(x.dtype)
    return x.copy_(out) if inplace else out
