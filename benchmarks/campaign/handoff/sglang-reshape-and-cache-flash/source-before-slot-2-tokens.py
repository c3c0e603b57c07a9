"""`reshape_and_cache_flash` of sglang 0.5.17, standing alone."""

import triton
import triton.language as tl


# region sglang/kernels/ops/kvcache/cache_ops.py:83-204 reshape_and_cache_flash
@triton.jit
def reshape_and_cache_flash(
    key_ptr,
    value_ptr,
    key_cache_ptr,
    value_cache_ptr,
    slot_mapping_ptr,
    swa_slot_mapping_ptr,
    k_scale_ptr,
    v_scale_ptr,
    block_stride,
    key_stride,
    value_stride,
    num_heads: tl.constexpr,
    head_size: tl.constexpr,
    block_size: tl.constexpr,
    num_tokens,
    TOKEN_BLOCK: tl.constexpr,
    BLOCK_N: tl.constexpr,
    HAS_SWA: tl.constexpr,
    USE_SCALE: tl.constexpr,
):
    """
    Triton kernel for reshaping per-token K/V tensors into paged KV cache layout.

    Source layout:
        key/value: [num_tokens, num_heads, head_size]

    Target cache layout:
        cache: [num_blocks, block_size, num_heads, head_size]

    Each Triton program instance handles:
        - TOKEN_BLOCK tokens (program_id(0))
        - BLOCK_N elements of all heads, which lie one after another (program_id(1))

    Features:
        - optional SWA slot remapping
        - optional FP8 scale dequantization before cache write

    Args:
        key_ptr: Pointer to source key tensor.
        value_ptr: Pointer to source value tensor.
        key_cache_ptr: Pointer to destination key cache tensor.
        value_cache_ptr: Pointer to destination value cache tensor.
        slot_mapping_ptr: Maps token -> cache slot.
        swa_slot_mapping_ptr: Optional second-stage slot remap for SWA mode.
        k_scale_ptr: Optional key scaling factor pointer.
        v_scale_ptr: Optional value scaling factor pointer.
        block_stride: Stride between cache blocks.
        key_stride: Stride between source key tokens.
        value_stride: Stride between source value tokens.
        num_heads: Number of attention heads.
        head_size: Hidden dimension per head.
        block_size: Number of slots per cache block.
        num_tokens: Number of tokens.
        TOKEN_BLOCK: Number of tokens processed per program.
        BLOCK_N: Number of elements of a token processed per program.
        HAS_SWA: Enable SWA remapping.
        USE_SCALE: Enable scale division before storing.
    """

    # ----------------------------------
    # program ids
    # pid0 = token block
    # pid1 = block of elements
    # ----------------------------------
    n: tl.constexpr = num_heads * head_size
    token_idx = tl.program_id(0) * TOKEN_BLOCK + tl.arange(0, TOKEN_BLOCK)
    token_mask = token_idx < num_tokens
    offs = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)

    # shape = [TOKEN_BLOCK, BLOCK_N]
    mask = token_mask[:, None]
    if n % BLOCK_N != 0:
        mask = mask & (offs < n)[None, :]

    # ----------------------------------
    # source load: asked for before the slot is known, so that the two latencies overlap
    # ----------------------------------
    src_key = token_idx[:, None] * key_stride + offs[None, :]
    src_value = token_idx[:, None] * value_stride + offs[None, :]

    k = tl.load(key_ptr + src_key, mask=mask)
    v = tl.load(value_ptr + src_value, mask=mask)

    # ----------------------------------
    # slot mapping
    # ----------------------------------
    slot_idx = tl.load(slot_mapping_ptr + token_idx, mask=token_mask, other=-1)

    if HAS_SWA:
        slot_idx = tl.load(
            swa_slot_mapping_ptr + slot_idx, mask=slot_idx >= 0, other=-1
        )

    mask = mask & (slot_idx >= 0)[:, None]
    block_idx = slot_idx // block_size
    block_offset = slot_idx % block_size

    # ----------------------------------
    # optional scale
    # ----------------------------------
    if USE_SCALE:
        k_scale = tl.load(k_scale_ptr)
        v_scale = tl.load(v_scale_ptr)

        k = k / k_scale
        v = v / v_scale

    # ----------------------------------
    # target layout
    # [block_idx, block_offset, head, dim]
    # ----------------------------------
    tgt = (block_idx * block_stride + block_offset * n)[:, None] + offs[None, :]

    tl.store(key_cache_ptr + tgt, k, mask=mask)
    tl.store(value_cache_ptr + tgt, v, mask=mask)
# endregion


# region sglang/kernels/ops/kvcache/cache_ops.py:207-266 launch_reshape_and_cache_flash
def launch_reshape_and_cache_flash(
    key,
    value,
    key_cache,
    value_cache,
    slot_mapping,
    swa_slot_mapping=None,
    k_scale=None,
    v_scale=None,
):
    """
    Launch wrapper for reshape_and_cache_flash Triton kernel.

    This wrapper prepares launch configuration and dispatches the Triton kernel
    that writes token-major K/V tensors into paged KV cache layout.

    Args:
        key: Source key tensor [num_tokens, num_heads, head_size]
        value: Source value tensor [num_tokens, num_heads, head_size]
        key_cache: Destination key cache [num_blocks, block_size, num_heads, head_size]
        value_cache: Destination value cache [num_blocks, block_size, num_heads, head_size]
        slot_mapping: Token-to-cache slot mapping
        swa_slot_mapping: Optional SWA remapping table
        k_scale: Optional key scaling factor
        v_scale: Optional value scaling factor
    """

    num_tokens = key.shape[0]
    num_heads = key.shape[1]
    head_size = key.shape[2]

    n = num_heads * head_size
    TOKEN_BLOCK = 2
    BLOCK_N = min(1024, triton.next_power_of_2(n))

    grid = (triton.cdiv(num_tokens, TOKEN_BLOCK), triton.cdiv(n, BLOCK_N))

    reshape_and_cache_flash[grid](
        key,
        value,
        key_cache,
        value_cache,
        slot_mapping,
        swa_slot_mapping,
        k_scale if k_scale is not None else key,
        v_scale if v_scale is not None else key,
        key_cache.stride(0),
        key.stride(0),
        value.stride(0),
        num_heads,
        head_size,
        key_cache.shape[1],
        num_tokens,
        TOKEN_BLOCK=TOKEN_BLOCK,
        BLOCK_N=BLOCK_N,
        HAS_SWA=(swa_slot_mapping is not None),
        USE_SCALE=(k_scale is not None),
        num_warps=4,
    )
# endregion
