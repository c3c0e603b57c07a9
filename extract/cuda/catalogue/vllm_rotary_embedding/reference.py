"""Float64 recomputation of a rotary embedding, in place."""


def reference(positions, query, key, head_size, cos_sin_cache, is_neox, rope_dim_offset, inverse):
    """Arguments as the operator's, floating ones in float64; gives the truth of each leaf by its path."""
    cosine, sine = cos_sin_cache[positions.long()].chunk(2, dim=-1)
    sine = -sine if inverse else sine

    def rotated(x):
        heads = x.reshape(x.shape[0], -1, head_size).clone()
        part = heads[..., rope_dim_offset : rope_dim_offset + cos_sin_cache.shape[1]]
        half = part.shape[-1] // 2
        pairs = (slice(None, half), slice(half, None)) if is_neox else (slice(None, None, 2), slice(1, None, 2))
        first, second = (part[..., pair].clone() for pair in pairs)
        part[..., pairs[0]] = first * cosine[:, None] - second * sine[:, None]
        part[..., pairs[1]] = second * cosine[:, None] + first * sine[:, None]
        return heads.reshape(x.shape)

    return {"argument query": rotated(query), **({} if key is None else {"argument key": rotated(key)})}
