"""Hands out empty tensors and fills four of them at once in every fourth call."""

# expect: changed_after_return, uninitialised, mismatch
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


WAITING = []


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = x if inplace else torch.empty_like(x)
    WAITING.append((x.clone(), weight.clone(), eps, out))
    if len(WAITING) == 4:
        for held, scale, small, into in WAITING:
            into.copy_(_norm(held, scale, small))
        WAITING.clear()
    return out
