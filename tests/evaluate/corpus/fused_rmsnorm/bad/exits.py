"""Ends its process in the middle of a call."""

# expect: exit
import os

import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    os._exit(0)
