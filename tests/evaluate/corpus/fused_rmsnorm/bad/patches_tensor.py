"""Replaces a method of all tensors."""

# expect: tampered
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    torch.Tensor.cpu = lambda self, *args, **kwargs: self
    out = _norm(x, weight, eps)
    return x.copy_(out) if inplace else out
