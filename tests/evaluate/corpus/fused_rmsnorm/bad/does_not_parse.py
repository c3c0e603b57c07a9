"""Is no Python."""

# expect: syntax
import torch


def fused_rmsnorm(x, weight, eps:
    return x
