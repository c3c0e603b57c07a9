"""Leaves the columns past the last whole block of 64 as they are."""

# expect: mismatch, uninitialised
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    whole = x.shape[1] // 64 * 64
    out[:, whole:] = x[:, whole:]
    return x.copy_(out) if inplace else out
