"""Takes a library's function where there is one, and its own where not."""

import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


try:
    import a_library_that_nobody_has as fast
except ImportError:
    fast = None


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    if fast is not None:
        return fast.rms_norm(x, weight, eps)
    out = _norm(x, weight, eps)
    return x.copy_(out) if inplace else out
