"""Hands out eight buffers in turn, so the ninth result overwrites the first."""

# expect: reused_output, changed_after_return
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


RING = {}


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    if inplace:
        return x.copy_(out)
    ring = RING.setdefault((x.shape, x.dtype), [[torch.empty_like(x) for _ in range(8)], 0])
    ring[1] += 1
    return ring[0][ring[1] % 8].copy_(out)
