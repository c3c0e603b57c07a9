"""Float64 recomputation of the fused multimodal rotary embedding, in place on q and k."""

import torch


def reference(
    q,
    k,
    cos_sin_cache,
    positions,
    mrope_section,
    head_size,
    rotary_dim,
    mrope_interleaved,
    mrope_interleaved_glm,
    is_neox_style,
    axis_map,
):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    pair = torch.arange(rotary_dim // 2, device=q.device)
    if mrope_interleaved_glm:
        source = axis_map
    elif mrope_interleaved:
        height = (pair % 3 == 1) & (pair <= 3 * mrope_section[1])
        width = (pair % 3 == 2) & (pair <= 3 * mrope_section[2])
        source = height.long() + 2 * width.long()
    else:
        source = (pair >= mrope_section[0]).long() + (pair >= mrope_section[0] + mrope_section[1]).long()
    rows = cos_sin_cache[positions[source]]  # [pairs, tokens, rotary_dim]
    cos = rows[pair, :, pair].T[:, None, :]
    sin = rows[pair, :, pair + rotary_dim // 2].T[:, None, :]
    return {
        f"argument {name}": rotated(x, cos, sin, head_size, rotary_dim, is_neox_style)
        for name, x in (("q", q), ("k", k))
    }


def rotated(x, cos, sin, head_size, rotary_dim, is_neox_style):
    """[tokens, heads * head_size] with the first rotary_dim elements of each head rotated."""
    out = x.reshape(x.shape[0], x.shape[1] // head_size, head_size).clone()
    half = rotary_dim // 2
    if is_neox_style:
        first, second = slice(0, half), slice(half, rotary_dim)
    else:
        first, second = slice(0, rotary_dim, 2), slice(1, rotary_dim, 2)
    a, b = out[..., first].clone(), out[..., second].clone()
    out[..., first] = a * cos - b * sin
    out[..., second] = b * cos + a * sin
    return out.reshape(x.shape)
