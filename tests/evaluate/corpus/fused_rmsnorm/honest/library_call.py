"""Calls torch's own RMS norm."""

import torch


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = torch.nn.functional.rms_norm(x.float(), (x.shape[1],), weight.float(), eps).to(x.dtype)
    return x.copy_(out) if inplace else out
