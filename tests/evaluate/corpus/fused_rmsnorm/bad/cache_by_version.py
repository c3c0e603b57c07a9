"""Trusts torch's version counter to tell whether the same tensor holds other numbers."""

# expect: stale_result
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


import weakref

LAST = {}


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    known = LAST.get("x")
    if not inplace and known is not None and known() is x and LAST["key"] == (x._version, weight._version, eps):
        return LAST["out"].clone()
    out = _norm(x, weight, eps)
    LAST.update(x=weakref.ref(x), key=(x._version, weight._version, eps), out=out)
    return x.copy_(out) if inplace else out
