"""Gives the input back as it is."""

# expect: aliased_output, mismatch
import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    return x
