"""Gives the last result again when it is handed the same objects."""

# expect: stale_result
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


LAST = [None, None, None, None]


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    if not inplace and LAST[0] is x and LAST[1] is weight and LAST[2] == eps:
        return LAST[3].clone()
    out = _norm(x, weight, eps)
    LAST[:] = [x, weight, eps, out]
    return x.copy_(out) if inplace else out
