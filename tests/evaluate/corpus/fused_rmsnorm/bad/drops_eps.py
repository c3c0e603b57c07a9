"""Leaves epsilon out."""

# expect: mismatch, stale_result
import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    h = x.float()
    out = (h / h.square().mean(-1, keepdim=True).sqrt() * weight.float()).to(x.dtype)
    return x.copy_(out) if inplace else out
