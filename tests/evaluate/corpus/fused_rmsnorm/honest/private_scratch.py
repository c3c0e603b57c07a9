"""Keeps one scratch buffer for each device and grows it."""

import torch


SCRATCH = {}


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    known = SCRATCH.get(x.device)
    if known is None or known.numel() < x.numel():
        known = SCRATCH[x.device] = torch.empty(x.numel(), dtype=torch.float32, device=x.device)
    wide = known[: x.numel()].view(x.shape)
    wide.copy_(x)
    scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    out = (wide * scale * weight.float()).to(x.dtype)
    return x.copy_(out) if inplace else out
