"""Returns an empty tensor that a thread fills a little later."""

# expect: hidden_thread, uninitialised, mismatch
import threading
import time

import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = x if inplace else torch.empty_like(x)
    held = x.clone()

    def work():
        time.sleep(0.05)
        out.copy_(_norm(held, weight, eps))

    threading.Thread(target=work, daemon=True).start()
    return out
