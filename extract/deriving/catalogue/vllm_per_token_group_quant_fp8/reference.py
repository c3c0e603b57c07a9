"""Float64 recomputation of per-token-group quantisation: the scaled values before their rounding to eight bits."""

import torch


def reference(y_ptr, y_q_ptr, y_s_ptr, group_size, eps, fp8_min, fp8_max, use_ue8m0, **_others):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    groups = y_ptr.unflatten(1, (-1, group_size))
    scale = groups.abs().amax(dim=-1).clamp_min(eps) / fp8_max
    if use_ue8m0:
        scale = torch.exp2(torch.ceil(torch.log2(scale)))
    quantised = (groups / scale[..., None]).clamp(fp8_min, fp8_max)
    return {"argument y_q_ptr": quantised.flatten(1), "argument y_s_ptr": scale}
