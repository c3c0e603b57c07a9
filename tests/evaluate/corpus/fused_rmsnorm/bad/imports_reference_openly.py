"""Imports the oracle at the top."""

# expect: reference_read
import torch

from reference import reference


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    return reference(x.double(), weight.double(), eps)["return"].to(x.dtype)
