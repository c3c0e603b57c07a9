"""Returns one row expanded to all rows: the shape is right, the memory is one row."""

# expect: mismatch
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    return _norm(x[:1], weight, eps).expand(x.shape)
