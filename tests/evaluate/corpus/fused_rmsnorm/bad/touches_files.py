"""Writes a file beside itself."""

# expect: files_touched
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    try:
        with open(__file__ + ".log", "a") as file:
            file.write("called\n")
    except OSError:
        pass
    out = _norm(x, weight, eps)
    return x.copy_(out) if inplace else out
