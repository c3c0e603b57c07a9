"""Returns a subclass that computes when it is first read."""

# expect: lazy_output
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


class Lazy(torch.Tensor):
    @staticmethod
    def __new__(cls, x, work):
        made = torch.Tensor._make_subclass(cls, torch.empty_like(x))
        made.work = work
        return made

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        args = [a.work() if isinstance(a, cls) else a for a in args]
        return func(*args, **(kwargs or {}))


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    if inplace:
        return x.copy_(_norm(x, weight, eps))
    return Lazy(x, lambda: _norm(x, weight, eps))
