"""Raises SystemExit, which nobody catches."""

# expect: exit
import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    raise SystemExit(0)
