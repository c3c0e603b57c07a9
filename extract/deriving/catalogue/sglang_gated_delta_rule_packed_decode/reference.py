"""Float64 recomputation of a gated delta rule for one token of each sequence, query, key and value in one row."""

import torch


def reference(
    mixed_qkv, a, b, A_log, dt_bias, scale, initial_state, out, ssm_state_indices, use_qk_l2norm_in_kernel=False
):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    heads, size_v, size_k = initial_state.shape[1:]
    width = (mixed_qkv.shape[1] - heads * size_v) // 2
    query, key, value = mixed_qkv.split([width, width, heads * size_v], dim=1)
    query, key = (each.unflatten(1, (-1, size_k)) for each in (query, key))
    if use_qk_l2norm_in_kernel:
        query, key = (each / torch.sqrt((each * each).sum(dim=-1, keepdim=True) + 1e-6) for each in (query, key))
    shared = heads // query.shape[1]
    query, key = (each.repeat_interleave(shared, dim=1) for each in (query * scale, key))  # [B, heads, K]
    chosen = ssm_state_indices >= 0
    at = ssm_state_indices.long().clamp_min(0)
    decay = torch.exp(-torch.exp(A_log) * torch.nn.functional.softplus(a + dt_bias))
    state = initial_state[at] * decay[..., None, None]
    change = (value.unflatten(1, (heads, size_v)) - torch.einsum("bhvk,bhk->bhv", state, key)) * torch.sigmoid(b)[
        ..., None
    ]
    state = state + change[..., None] * key[:, :, None]
    given = torch.einsum("bhvk,bhk->bhv", state, query) * chosen[:, None, None]
    states = initial_state.clone()
    states[at[chosen]] = state[chosen]
    return {
        "return[0]": given[:, None],
        "return[1]": states,
        "argument out": given[:, None],
        "argument initial_state": states,
    }
