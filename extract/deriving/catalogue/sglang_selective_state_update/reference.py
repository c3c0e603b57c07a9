"""Float64 recomputation of selective_state_update for one token of each sequence."""

import torch


def reference(state, x, dt, A, B, C, D, dt_bias, state_batch_indices, out, z=None, **_others):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    heads = x.shape[1] // B.shape[1]
    keys, queries = (part.repeat_interleave(heads, dim=1)[:, :, None] for part in (B, C))  # [B, heads, 1, N]
    kept = (state_batch_indices >= 0)[:, None, None, None]
    at = state_batch_indices.long().clamp_min(0)
    step = torch.nn.functional.softplus(dt + dt_bias)[..., None]  # as it is beyond 20
    moved = torch.where(kept, state[at], 0.0) * torch.exp(A * step) + keys * step * x[..., None]
    sums = (moved * queries).sum(dim=-1) + x * D
    if z is not None:
        sums = sums * z * torch.sigmoid(z)
    states = state.clone()
    chosen = state_batch_indices >= 0
    states[at[chosen]] = moved[chosen]
    return {"argument out": sums, "argument state": states}
