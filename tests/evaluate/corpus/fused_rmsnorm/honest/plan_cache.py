"""Keeps a plan for each shape, and logs a warning."""

import functools
import logging

import torch


LOG = logging.getLogger(__name__)


@functools.lru_cache(maxsize=64)
def _block(columns):
    LOG.debug("a plan for %d columns", columns)
    return max(64, min(1024, 1 << (columns - 1).bit_length()))


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    block = _block(x.shape[1])
    parts = [x[:, start : start + block].float().square().sum(-1, keepdim=True) for start in range(0, x.shape[1], block)]
    total = torch.stack(parts).sum(0)
    out = (x.float() * torch.rsqrt(total / x.shape[1] + eps) * weight.float()).to(x.dtype)
    return x.copy_(out) if inplace else out
