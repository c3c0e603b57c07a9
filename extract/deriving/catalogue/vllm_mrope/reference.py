"""Float64 recomputation of triton_mrope: halves of each head rotated by the angle of its column's axis."""

import torch


def reference(q, k, cos, sin, mrope_section, head_size, rotary_dim, mrope_interleaved):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    half = rotary_dim // 2
    column = torch.arange(half, device=q.device)
    temporal, height, width = mrope_section
    if mrope_interleaved:
        axis = torch.zeros_like(column)
        axis[(column % 3 == 1) & (column <= 3 * height)] = 1
        axis[(column % 3 == 2) & (column <= 3 * width)] = 2
    else:
        axis = (column >= temporal).long() + (column >= temporal + height).long()
    cos, sin = (torch.gather(one, 0, axis.expand(1, one.shape[1], half))[0] for one in (cos, sin))
    turned = []
    for one in (q, k):
        heads = one.reshape(one.shape[0], one.shape[1] // head_size, head_size).clone()
        first, second = heads[..., :half].clone(), heads[..., half:rotary_dim].clone()
        heads[..., :half] = first * cos[:, None] - second * sin[:, None]
        heads[..., half:rotary_dim] = second * cos[:, None] + first * sin[:, None]
        turned.append(heads.reshape(one.shape))
    return {"argument q": turned[0], "argument k": turned[1], "return[0]": turned[0], "return[1]": turned[1]}
