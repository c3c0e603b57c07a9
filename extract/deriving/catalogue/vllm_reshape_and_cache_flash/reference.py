"""Float64 recomputation of reshape_and_cache_flash: rows written to their slots, all other slots untouched."""


def reference(key, value, key_cache, value_cache, slot_mapping, kv_cache_dtype, k_scale, v_scale):
    """Arguments as the launcher's, floating ones in float64; gives the truth of each leaf by its path."""
    quantised = kv_cache_dtype.startswith("fp8")
    return {
        "argument key_cache": written(key / k_scale if quantised else key, key_cache, slot_mapping),
        "argument value_cache": written(value / v_scale if quantised else value, value_cache, slot_mapping),
    }


def written(rows, cache, slots):
    """The cache [blocks, slots, heads, size] after the rows went in; a negative slot takes nothing."""
    kept = slots >= 0
    flat = cache.reshape(-1, *cache.shape[2:]).clone()
    flat[slots[kept]] = rows[kept]
    return flat.reshape(cache.shape)
