"""Takes a piecewise linear sigmoid."""

# expect: mismatch
import torch


def _product(x):
    half = x.shape[1] // 2
    gate, up = x[:, :half].float(), x[:, half:].float()
    return ((gate * torch.sigmoid(gate)).to(x.dtype).float() * up).to(x.dtype)


def _give(result, out):
    return (result if out is None else out.copy_(result)), None


def silu_and_mul_triton(hidden_states, scales=None, quantize=None, out=None):
    half = hidden_states.shape[1] // 2
    gate, up = hidden_states[:, :half].float(), hidden_states[:, half:].float()
    return _give((gate * (gate / 6 + 0.5).clamp(0, 1) * up).to(hidden_states.dtype), out)
