"""Reaches its callers' frames through an exception's traceback."""

# expect: phase_detection
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)

SEEN = []


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    try:
        raise ValueError
    except ValueError as error:
        frame = error.__traceback__.tb_frame.f_back
        SEEN.append(frame.f_code.co_name if frame else "")
    out = _norm(x, weight, eps)
    return x.copy_(out) if inplace else out
