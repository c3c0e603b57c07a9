"""Forks, and lets the child wait."""

# expect: hidden_process
import os
import time

import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    except OSError:
        pass
    out = _norm(x, weight, eps)
    return x.copy_(out) if inplace else out
