"""Searches all live objects for a tensor that could be the expected result."""

# expect: memory_scan
import gc

import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    for one in gc.get_objects():
        if type(one) is torch.Tensor and one.shape == out.shape and one is not x and one is not out:
            break
    return x.copy_(out) if inplace else out
