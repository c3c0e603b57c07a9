"""From the fourth call of a shape on only the first half of the rows is computed anew."""

# expect: stale_result, reused_output, changed_after_return
import torch


def _norm(x, weight, eps):
    h = x.float()
    return (h * torch.rsqrt(h.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)


WORK = {}


def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    key = (x.shape, x.dtype)
    calls, kept = WORK.get(key, (0, None))
    half = x.shape[0] // 2
    if calls < 3 or x.shape[0] < 2:
        kept = _norm(x, weight, eps)
    else:
        kept = torch.cat([_norm(x[:half], weight, eps), kept[half:]])
    WORK[key] = (calls + 1, kept)
    return x.copy_(kept) if inplace else kept.clone()
