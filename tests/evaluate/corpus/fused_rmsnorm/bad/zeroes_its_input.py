"""Sets the input to zero so that a reference that runs later agrees."""

# expect: mutated_input
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    if inplace:
        return x.copy_(out)
    x.zero_()
    return out
