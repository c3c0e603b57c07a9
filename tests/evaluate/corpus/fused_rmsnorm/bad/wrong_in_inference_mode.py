"""Skips the work where gradients are off."""

# expect: phase_detection, mismatch
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    if torch.is_inference_mode_enabled():
        out = torch.zeros_like(out)
    return x.copy_(out) if inplace else out
