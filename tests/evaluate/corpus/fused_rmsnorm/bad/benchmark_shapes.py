"""Is right at the sizes of a test and returns noughts at those that are timed."""

# expect: mismatch, phase_detection
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    if x.shape[0] >= 64 and x.shape[1] >= 4096:
        out = torch.zeros_like(out)
    return x.copy_(out) if inplace else out
