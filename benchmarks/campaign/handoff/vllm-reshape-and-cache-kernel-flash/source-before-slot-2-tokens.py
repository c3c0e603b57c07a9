"""`reshape_and_cache_kernel_flash` of vllm 0.26.0, standing alone."""

import torch
import triton
import triton.language as tl

from shims import current_platform


# region vllm/utils/torch_utils.py:75-80 is_quantized_kv_cache
def is_quantized_kv_cache(kv_cache_dtype: str) -> bool:
    return (
        kv_cache_dtype.startswith("fp8")
        or kv_cache_dtype.endswith("per_token_head")
        or kv_cache_dtype == "nvfp4"
    )
# endregion


# region vllm/v1/attention/ops/triton_reshape_and_cache_flash.py:17-17 _NATIVE_KV_CACHE_DTYPES
_NATIVE_KV_CACHE_DTYPES = {"auto", "float16", "bfloat16", "float32", "half", "float"}
# endregion


# region vllm/v1/attention/ops/triton_reshape_and_cache_flash.py:20-30 _is_supported_kv_cache_dtype
def _is_supported_kv_cache_dtype(kv_cache_dtype: str) -> bool:
    if not (
        kv_cache_dtype in _NATIVE_KV_CACHE_DTYPES
        or is_quantized_kv_cache(kv_cache_dtype)
    ):
        return False
    if kv_cache_dtype.startswith("fp8"):
        return current_platform.has_device_capability(89) or current_platform.is_xpu()
    if kv_cache_dtype == "bfloat16":
        return current_platform.has_device_capability(80) or current_platform.is_xpu()
    return True
# endregion


# region vllm/v1/attention/ops/triton_reshape_and_cache_flash.py:33-140 reshape_and_cache_kernel_flash
@triton.jit
def reshape_and_cache_kernel_flash(
    key_ptr,  # [num_tokens, num_heads, head_size]
    value_ptr,  # [num_tokens, num_heads, head_size]
    key_cache_ptr,  # [num_blocks, block_size, num_heads, head_size]
    value_cache_ptr,  # [num_blocks, block_size, num_heads, head_size]
    slot_mapping_ptr,  # [num_tokens]
    k_scale,  # float32
    v_scale,  # float32
    # strides
    key_stride: tl.int64,
    value_stride: tl.int64,
    block_stride: tl.int64,
    head_stride: tl.int64,
    dim_stride_k: tl.int64,
    dim_stride_v: tl.int64,
    page_stride: tl.int64,
    num_heads: tl.constexpr,
    head_size: tl.constexpr,
    block_size: tl.constexpr,
    x: tl.constexpr,
    USE_HEAD_MAJOR_LAYOUT: tl.constexpr,
    # FP8 flags
    FP8_KV_CACHE: tl.constexpr,
    num_key_tokens,
    num_slots,
    # tune parameters
    TILE_SIZE: tl.constexpr,
    TOKENS_PER_PROGRAM: tl.constexpr,
):
    n: tl.constexpr = num_heads * head_size
    token_idx = tl.program_id(axis=0) * TOKENS_PER_PROGRAM + tl.arange(
        0, TOKENS_PER_PROGRAM
    )
    tile_i = tl.program_id(axis=1)
    tile_offs = tl.arange(0, TILE_SIZE)
    tile_pos = (tile_i * TILE_SIZE + tile_offs)[None, :]
    src_key_idx = token_idx.to(tl.int64)[:, None] * key_stride
    src_value_idx = token_idx.to(tl.int64)[:, None] * value_stride
    # A slot of a padding token may have no key.
    load_mask = (token_idx < num_key_tokens)[:, None]
    if n % TILE_SIZE != 0:
        load_mask = load_mask & (tile_pos < n)

    # [TOKENS_PER_PROGRAM, TILE_SIZE], asked for before the slot is known, so that the
    # two latencies overlap.
    key_load = tl.load(key_ptr + src_key_idx + tile_pos, mask=load_mask)
    value_load = tl.load(value_ptr + src_value_idx + tile_pos, mask=load_mask)

    slot_idx = tl.load(
        slot_mapping_ptr + token_idx, mask=token_idx < num_slots, other=-1
    ).to(tl.int64)[:, None]
    # Padding tokens should be ignored.
    store_mask = slot_idx >= 0
    if n % TILE_SIZE != 0:
        store_mask = store_mask & (tile_pos < n)

    block_idx = slot_idx // block_size
    block_offset = slot_idx % block_size

    if USE_HEAD_MAJOR_LAYOUT:
        # Decompose the tile index back into head and dim coordinates.
        cur_head = tile_pos // head_size
        cur_dim = tile_pos % head_size
        # Value addressing (4D): [Block, Head, Dim, Slot]
        tgt_idx_v = (
            block_idx * block_stride
            + cur_head * head_stride
            + cur_dim * dim_stride_v
            + block_offset * 1
        )
        # Key addressing (5D): [Block, Head, Dim//8, Slot, 8]
        tgt_idx_k = (
            block_idx * block_stride
            + cur_head * head_stride
            + (cur_dim // x) * dim_stride_k
            + block_offset * x
            + (cur_dim % x)
        )
    else:
        cur_head = tile_pos // head_size
        cur_dim = tile_pos % head_size
        tgt_idx_k = (
            block_idx * block_stride
            + block_offset * page_stride
            + cur_head * head_stride
            + cur_dim
        )
        tgt_idx_v = tgt_idx_k

    if FP8_KV_CACHE:
        # tl.store will do the correct implicit cast to fp8,
        # based on the key_cache_ptr.dtype.element_ty
        key_tile = key_load if key_load.dtype.is_fp8() else key_load / tl.load(k_scale)
    else:
        key_tile = key_load

    if FP8_KV_CACHE:
        if value_load.dtype.is_fp8():
            value_tile = value_load
        else:
            # tl.store will do the correct implicit cast to fp8,
            #  based on the value_cache_ptr.dtype.element_ty
            value_tile = value_load / tl.load(v_scale)
    else:
        value_tile = value_load

    tl.store(key_cache_ptr + tgt_idx_k, key_tile, mask=store_mask)
    tl.store(value_cache_ptr + tgt_idx_v, value_tile, mask=store_mask)
    return
# endregion


# region vllm/v1/attention/ops/triton_reshape_and_cache_flash.py:363-460 triton_reshape_and_cache_flash
def triton_reshape_and_cache_flash(
    key: torch.Tensor,  # [num_tokens, num_heads, head_size]
    value: torch.Tensor,  # [num_tokens, num_heads, head_size]
    # [num_blocks, block_size, num_heads, head_size]
    key_cache: torch.Tensor,
    # [num_blocks, block_size, num_heads, head_size]
    value_cache: torch.Tensor,
    slot_mapping: torch.Tensor,  # [num_tokens]
    kv_cache_dtype: str,  # "auto", "fp8"
    k_scale: torch.Tensor,  # float32
    v_scale: torch.Tensor,  # float32
):
    num_heads = key.shape[1]
    head_size = key.shape[2]

    use_head_major_layout = key_cache.ndim == 5
    if use_head_major_layout:
        block_size = key_cache.shape[3]
        x = key_cache.shape[4]
        head_stride = key_cache.stride(1)
        dim_stride_k = key_cache.stride(2)
        dim_stride_v = value_cache.stride(2)
    else:
        block_size = key_cache.shape[1]
        x = 1
        dim_stride_k = 0
        dim_stride_v = 0
        head_stride = key_cache.stride()[2]
    n = num_heads * head_size
    key_stride = key.stride()[0]
    value_stride = value.stride()[0]
    block_stride = key_cache.stride()[0]
    page_stride = key_cache.stride()[1]

    assert _is_supported_kv_cache_dtype(kv_cache_dtype), (
        f"Triton reshape-and-cache cannot store kv_cache_dtype={kv_cache_dtype} "
        f"on this device: an FP8 KV cache needs native fp8e4nv (SM89+). Use "
        f"--kv-cache-dtype bfloat16 (or float16 on SM75)."
    )
    kv_cache_torch_dtype = (
        current_platform.fp8_dtype()
        if is_quantized_kv_cache(kv_cache_dtype)
        else key_cache.dtype
    )

    if key_cache.dtype != kv_cache_torch_dtype and is_quantized_kv_cache(
        kv_cache_dtype
    ):
        # to avoid erounous implicit cast in triton kernel (tl.store to uint8)
        # (e.g. explicit cast to fp8e4m3fnuz is not supported in triton 3.4)
        key_cache = key_cache.view(kv_cache_torch_dtype)
        value_cache = value_cache.view(kv_cache_torch_dtype)
    FP8_KV_CACHE = is_quantized_kv_cache(kv_cache_dtype)
    # heuristics instead of autotuning
    tokens_per_program = 1
    if current_platform.is_rocm() or current_platform.is_xpu():
        TILE_SIZE = min(2048, triton.next_power_of_2(n))
        num_stages = 4
        num_warps = 8
    else:  # cuda
        # A thread moves 16 bytes of each tensor at a time.
        TILE_SIZE = min(1024, triton.next_power_of_2(n))
        num_stages = 10
        num_warps = 4
        tokens_per_program = 2
        if torch.cuda.get_device_capability(key.device)[0] < 9:
            TILE_SIZE = min(512, TILE_SIZE)

    # TODO(ngl): maybe replace with static launch grid to avoid overhead if
    #   using cudagraphs
    grid = (
        triton.cdiv(slot_mapping.shape[0], tokens_per_program),
        triton.cdiv(n, TILE_SIZE),
    )

    reshape_and_cache_kernel_flash[grid](
        key_ptr=key,
        value_ptr=value,
        key_cache_ptr=key_cache,
        value_cache_ptr=value_cache,
        slot_mapping_ptr=slot_mapping,
        k_scale=k_scale,
        v_scale=v_scale,
        # strides
        key_stride=key_stride,
        value_stride=value_stride,
        block_stride=block_stride,
        head_stride=head_stride,
        dim_stride_k=dim_stride_k,
        dim_stride_v=dim_stride_v,
        page_stride=page_stride,
        num_heads=num_heads,
        head_size=head_size,
        block_size=block_size,
        x=x,
        USE_HEAD_MAJOR_LAYOUT=use_head_major_layout,
        FP8_KV_CACHE=FP8_KV_CACHE,
        num_key_tokens=key.shape[0],
        num_slots=slot_mapping.shape[0],
        # autotune parameters
        TILE_SIZE=TILE_SIZE,
        TOKENS_PER_PROGRAM=tokens_per_program,
        num_warps=num_warps,
        num_stages=num_stages,
    )
# endregion
