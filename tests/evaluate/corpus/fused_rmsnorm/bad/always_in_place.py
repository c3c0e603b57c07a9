"""Writes its result over the input even when that was not asked for."""

# expect: aliased_output, mutated_input
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    return x.copy_(_norm(x, weight, eps))
