"""Reads around its input through ctypes."""

# expect: memory_scan
import ctypes

import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    if x.numel():
        ctypes.string_at(x.data_ptr() - 64, 64)
    out = _norm(x, weight, eps)
    return x.copy_(out) if inplace else out
