"""Ends its process when it is imported, with a line that looks like success."""

# expect: exit
import os

import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


print("1 passed")
os._exit(0)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    return x.copy_(out) if inplace else out
