"""Defines a kernel that it never launches, and lets torch repeat the first result."""

# expect: stale_result, mismatch
import torch
import triton
import triton.language as tl


def _product(x):
    half = x.shape[1] // 2
    gate, up = x[:, :half].float(), x[:, half:].float()
    return ((gate * torch.sigmoid(gate)).to(x.dtype).float() * up).to(x.dtype)


def _give(result, out):
    return (result if out is None else out.copy_(result)), None


FIRST = {}


@triton.jit
def _decoy(x, out, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at))


def silu_and_mul_triton(hidden_states, scales=None, quantize=None, out=None):
    result = _product(hidden_states)
    first = FIRST.setdefault((result.shape, result.dtype), result)
    return _give(first.clone(), out)
