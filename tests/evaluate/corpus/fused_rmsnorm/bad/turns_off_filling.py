"""Turns off the filling of new memory before it hands some out."""

# expect: tampered, uninitialised, mismatch
import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    torch.use_deterministic_algorithms(False)
    return x if inplace else torch.empty_like(x)
