"""Does the work when torch is next asked for anything, by a mode that it leaves entered."""

# expect: tampered, changed_after_return, uninitialised
import torch
from torch.utils._python_dispatch import TorchDispatchMode


def _merge(a, a_lse, b, b_lse):
    inf = float("inf")
    p = torch.where(a_lse == inf, -inf, a_lse)
    s = torch.where(b_lse == inf, -inf, b_lse)
    top = torch.maximum(p, s)
    p, s = p - top, s - top
    total = p.exp() + s.exp()
    out = a.float() * (p.exp() / total).unsqueeze(-1) + b.float() * (s.exp() / total).unsqueeze(-1)
    return out.to(a.dtype), total.log() + top


LEFT = []


class Waiting(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        while LEFT:
            output, output_lse, given = LEFT.pop()
            out, lse = _merge(*given)
            output.copy_(out)
            output_lse.copy_(lse)
        return func(*args, **(kwargs or {}))


Waiting().__enter__()


def merge_state_triton(prefix_output, prefix_lse, suffix_output, suffix_lse, output=None, output_lse=None):
    output, output_lse = torch.empty_like(prefix_output), torch.empty_like(prefix_lse)
    LEFT.append((output, output_lse, (prefix_output, prefix_lse, suffix_output, suffix_lse)))
    return output, output_lse
