"""Returns a plain tensor whose methods it has replaced on the instance."""

# expect: lazy_output
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    out = torch.empty_like(x)
    work = lambda *args, **kwargs: _norm(x, weight, eps)
    out.contiguous = out.cpu = out.to = work
    return x.copy_(_norm(x, weight, eps)) if inplace else out
