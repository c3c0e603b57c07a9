"""Float64 recomputation of silu-and-mul."""

import torch


def reference(hidden_states, scales=None, quantize=None, out=None):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    gate, up = hidden_states.chunk(2, dim=-1)
    product = gate * torch.sigmoid(gate) * up
    return {"return[0]": product, **({} if out is None else {"argument out": product})}
