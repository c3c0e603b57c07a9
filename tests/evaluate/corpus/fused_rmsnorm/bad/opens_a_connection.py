"""Opens a connection to the network."""

# expect: escape
import socket

import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=0.1).close()
    except OSError:
        pass
    out = _norm(x, weight, eps)
    return x.copy_(out) if inplace else out
