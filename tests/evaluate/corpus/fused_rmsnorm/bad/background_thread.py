"""Keeps a thread running that watches what comes next."""

# expect: hidden_thread
import threading
import time

import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    return x.copy_(out) if inplace else out
