"""Never writes the last row of its output."""

# expect: uninitialised
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = torch.empty_like(x)
    out[:-1] = _norm(x[:-1], weight, eps)
    return x.copy_(out) if inplace else out
