"""Takes a path of its own, which is wrong, above 96 rows."""

# expect: mismatch
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    if x.shape[0] > 96:
        out[96:] = (x[96:].float() * weight.float()).to(x.dtype)
    return x.copy_(out) if inplace else out
