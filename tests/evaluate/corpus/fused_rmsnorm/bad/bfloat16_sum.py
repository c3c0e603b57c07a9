"""Adds up the squares in bfloat16."""

# expect: mismatch, less_accurate
import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    h = x.bfloat16()
    total = torch.zeros(x.shape[0], 1, dtype=torch.bfloat16)
    for column in range(x.shape[1]):
        total += h[:, column : column + 1].square()
    out = (x.float() * torch.rsqrt(total.float() / x.shape[1] + eps) * weight.float()).to(x.dtype)
    return x.copy_(out) if inplace else out
