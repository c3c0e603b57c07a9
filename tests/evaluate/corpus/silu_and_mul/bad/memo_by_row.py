"""Keeps results of rows by their first element."""

# expect: stale_result, leaked_memory, mismatch
import torch


def _product(x):
    half = x.shape[1] // 2
    gate, up = x[:, :half].float(), x[:, half:].float()
    return ((gate * torch.sigmoid(gate)).to(x.dtype).float() * up).to(x.dtype)


def _give(result, out):
    return (result if out is None else out.copy_(result)), None


ROWS = {}


def silu_and_mul_triton(hidden_states, scales=None, quantize=None, out=None):
    result = _product(hidden_states)
    for number, row in enumerate(hidden_states[:8]):
        key = (float(row[0]), row.shape, row.dtype)
        result[number] = ROWS.setdefault(key, result[number].clone())
    return _give(result, out)
