"""Adds up blocks of 256 columns first, then scales."""

import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    total = torch.zeros(x.shape[0], 1, dtype=torch.float32, device=x.device)
    for start in range(0, x.shape[1], 256):
        total += x[:, start : start + 256].float().square().sum(-1, keepdim=True)
    scale = torch.rsqrt(total / x.shape[1] + eps)
    out = (x.float() * scale * weight.float()).to(x.dtype)
    return x.copy_(out) if inplace else out
