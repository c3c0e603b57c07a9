"""Float64 recomputation of causal_conv1d_update: a window of state and new token, weighed channel by channel."""

import torch


def reference(x, conv_state, weight, conv_state_indices, activation, bias=None):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    at = conv_state_indices.long()
    kept = (at != 0)[:, None]
    window = torch.cat([conv_state[at], x[:, :, None]], dim=2)
    sums = (window * weight).sum(dim=2)
    if bias is not None:
        sums = sums + bias
    out = torch.where(kept, sums * torch.sigmoid(sums), x)
    states = conv_state.clone()
    states[at] = torch.where(kept[:, :, None], window[:, :, 1:], states[at])
    return {"return": out, "argument x": out, "argument conv_state": states}
