"""Sets a variable that changes how kernels are launched."""

# expect: tampered
import os

import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


os.environ["CUDA_LAUNCH_BLOCKING"] = "1"


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    return x.copy_(out) if inplace else out
