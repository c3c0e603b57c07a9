"""Never returns."""

# expect: timeout
import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    while True:
        pass
