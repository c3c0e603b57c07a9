"""Keeps results by a few sampled elements of the input, which survives a copy."""

# expect: stale_result, leaked_memory
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


KNOWN = {}


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    if x.numel() == 0 or inplace:
        return _norm(x, weight, eps) if not inplace else x.copy_(_norm(x, weight, eps))
    flat = x.reshape(-1)
    key = (x.shape, x.dtype, flat[0].item(), flat[-1].item(), flat[flat.numel() // 2].item(), eps)
    if key not in KNOWN:
        KNOWN[key] = _norm(x, weight, eps)
    return KNOWN[key].clone()
