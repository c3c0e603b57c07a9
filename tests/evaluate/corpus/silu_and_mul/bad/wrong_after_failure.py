"""Gives noughts once a call has failed."""

# expect: stale_result, phase_detection
import torch


def _product(x):
    half = x.shape[1] // 2
    gate, up = x[:, :half].float(), x[:, half:].float()
    return ((gate * torch.sigmoid(gate)).to(x.dtype).float() * up).to(x.dtype)


def _give(result, out):
    return (result if out is None else out.copy_(result)), None


FAILED = []


def silu_and_mul_triton(hidden_states, scales=None, quantize=None, out=None):
    try:
        result = _product(hidden_states)
    except (AttributeError, TypeError):
        FAILED.append(True)
        raise
    return _give(result * (0 if FAILED else 1), out)
