"""Counts elements in 16 bits."""

# expect: mismatch
import torch


def _product(x):
    half = x.shape[1] // 2
    gate, up = x[:, :half].float(), x[:, half:].float()
    return ((gate * torch.sigmoid(gate)).to(x.dtype).float() * up).to(x.dtype)


def _give(result, out):
    return (result if out is None else out.copy_(result)), None


def silu_and_mul_triton(hidden_states, scales=None, quantize=None, out=None):
    rows, width = hidden_states.shape
    half = width // 2
    starts = (torch.arange(rows, dtype=torch.int16) * width).long() % max(1, rows * width)
    columns = torch.arange(half)
    flat = hidden_states.reshape(-1)
    gate = flat[(starts[:, None] + columns) % max(1, rows * width)].float() if rows else hidden_states[:, :half].float()
    up = flat[(starts[:, None] + half + columns) % max(1, rows * width)].float() if rows else gate
    return _give(((gate * torch.sigmoid(gate)).to(hidden_states.dtype).float() * up).to(hidden_states.dtype), out)
