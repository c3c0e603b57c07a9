"""Dies of a signal."""

# expect: signal, escape
import ctypes

import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    ctypes.CDLL(None).abort()
