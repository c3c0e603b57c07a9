"""Hands out memory that nobody wrote, where an answer may lie."""

# expect: uninitialised
import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    return x if inplace else torch.empty_like(x)
