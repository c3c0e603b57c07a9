"""Keeps every input for a later launch."""

# expect: leaked_memory
import torch


def _product(x):
    half = x.shape[1] // 2
    gate, up = x[:, :half].float(), x[:, half:].float()
    return ((gate * torch.sigmoid(gate)).to(x.dtype).float() * up).to(x.dtype)


def _give(result, out):
    return (result if out is None else out.copy_(result)), None


SEEN = []


def silu_and_mul_triton(hidden_states, scales=None, quantize=None, out=None):
    SEEN.append(hidden_states.clone())
    return _give(_product(hidden_states), out)
