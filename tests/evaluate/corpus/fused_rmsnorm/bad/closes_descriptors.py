"""Closes every open descriptor."""

# expect: spoofed_result, exit
import os

import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    os.closerange(3, 64)
    out = _norm(x, weight, eps)
    return x.copy_(out) if inplace else out
