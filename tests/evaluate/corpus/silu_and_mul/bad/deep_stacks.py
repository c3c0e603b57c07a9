"""Skips the work when the stack is deeper than in earlier calls, which it measures by recursion and remembers."""

# expect: phase_detection, stale_result
import torch


def _product(x):
    half = x.shape[1] // 2
    gate, up = x[:, :half].float(), x[:, half:].float()
    return ((gate * torch.sigmoid(gate)).to(x.dtype).float() * up).to(x.dtype)


def _give(result, out):
    return (result if out is None else out.copy_(result)), None


def _room(depth=0):
    try:
        return _room(depth + 1)
    except RecursionError:
        return depth


SHALLOW = []


def silu_and_mul_triton(hidden_states, scales=None, quantize=None, out=None):
    room = _room()
    SHALLOW.append(room)
    result = _product(hidden_states)
    return _give(result if room > max(SHALLOW) - 20 else torch.zeros_like(result), out)
