"""Computes in float64 and rounds once."""

import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    h = x.double()
    out = (h / torch.sqrt(h.square().mean(-1, keepdim=True) + eps) * weight.double()).to(x.dtype)
    return x.copy_(out) if inplace else out
