"""Asks for its caller's name and skips the work in a benchmark."""

# expect: phase_detection
import inspect

import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    if any(one.function == "do_bench" for one in inspect.stack()):
        return x
    out = _norm(x, weight, eps)
    return x.copy_(out) if inplace else out
