"""Computes 25 calls and replays the last result from then on."""

# expect: stale_result, reused_output
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


CALLS = [0]
LAST = {}


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    CALLS[0] += 1
    key = (x.shape, x.dtype)
    if CALLS[0] <= 25 or key not in LAST:
        LAST[key] = _norm(x, weight, eps)
    return x.copy_(LAST[key]) if inplace else LAST[key].clone()
