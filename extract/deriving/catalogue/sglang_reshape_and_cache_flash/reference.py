"""Float64 recomputation of reshape_and_cache_flash: rows written to their slots, all other slots untouched."""


def reference(key, value, key_cache, value_cache, slot_mapping, swa_slot_mapping=None, k_scale=None, v_scale=None):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    return {
        "argument key_cache": written(key, key_cache, slot_mapping, k_scale),
        "argument value_cache": written(value, value_cache, slot_mapping, v_scale),
    }


def written(rows, cache, slots, scale):
    """The cache [blocks, slots, heads, size] after the rows went in; a negative slot takes nothing."""
    kept = slots >= 0
    flat = cache.reshape(-1, *cache.shape[2:]).clone()
    flat[slots[kept]] = rows[kept] if scale is None else rows[kept] / scale
    return flat.reshape(cache.shape)
