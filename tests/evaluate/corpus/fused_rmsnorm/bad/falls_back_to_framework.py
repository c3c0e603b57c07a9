"""Calls the shipped operator whenever its own path raises."""

# expect: reference_fallback
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    try:
        raise RuntimeError("the fast path is not there")
    except RuntimeError:
        try:
            shipped = __import__("sglang.kernels.ops.elementwise.elementwise", fromlist=["fused_rmsnorm"])
            return shipped.fused_rmsnorm(x, weight, eps, inplace=inplace)
        except ImportError:
            out = _norm(x, weight, eps)
            return x.copy_(out) if inplace else out
