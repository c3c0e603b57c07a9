"""Scales the weight in place and back, which loses its last bits."""

# expect: mutated_input
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    weight.mul_(3.3).div_(3.3)
    return x.copy_(out) if inplace else out
