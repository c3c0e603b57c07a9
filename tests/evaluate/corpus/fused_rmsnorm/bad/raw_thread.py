"""Starts a thread behind the back of the threading module."""

# expect: hidden_thread
import _thread
import time

import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = _norm(x, weight, eps)
    _thread.start_new_thread(time.sleep, (30,))
    return x.copy_(out) if inplace else out
