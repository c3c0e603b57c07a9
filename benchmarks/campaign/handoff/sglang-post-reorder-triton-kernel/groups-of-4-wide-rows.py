"""`post_reorder_triton_kernel` of sglang 0.5.17, standing alone."""

import triton
import triton.language as tl


# region sglang/kernels/ops/moe/ep_moe_kernels.py:977-1016 post_reorder_triton_kernel
@triton.jit
def post_reorder_triton_kernel(
    down_output_ptr,
    output_ptr,
    src2dst_ptr,
    topk_ids_ptr,
    topk_weights_ptr,
    topk,
    hidden_size,
    BLOCK_SIZE: tl.constexpr,
):
    InDtype = down_output_ptr.dtype.element_ty
    # 16 bytes a thread of bfloat16, and the rows of so many experts at a time.
    WIDE_BLOCK: tl.constexpr = 2048 if BLOCK_SIZE < 2048 else BLOCK_SIZE
    GROUP: tl.constexpr = 4

    src_idx_int32 = tl.program_id(0)
    src_idx = src_idx_int32.to(tl.int64)
    src2dst_ptr = src2dst_ptr + src_idx * topk
    topk_ids_ptr = topk_ids_ptr + src_idx * topk
    topk_weights_ptr = topk_weights_ptr + src_idx * topk

    store_ptr = output_ptr + src_idx * hidden_size

    vec = tl.arange(0, WIDE_BLOCK)

    for start_offset in tl.range(0, hidden_size, WIDE_BLOCK):
        offset = start_offset + vec
        mask = offset < hidden_size

        sum_vec = tl.zeros([WIDE_BLOCK], dtype=tl.float32)
        for first in range(0, topk, GROUP):
            # All rows of the group are on their way before the first is added.
            valid = ()
            scales = ()
            rows = ()
            for j in tl.static_range(GROUP):
                idx = first + j
                inside = idx < topk
                expert_id = tl.load(topk_ids_ptr + idx, mask=inside, other=-1)
                dst_idx_int32 = tl.load(src2dst_ptr + idx, mask=inside, other=0)
                weight = tl.load(topk_weights_ptr + idx, mask=inside, other=0.0)
                valid = valid + (inside & (expert_id >= 0),)
                dst_idx = tl.where(valid[j], dst_idx_int32, 0).to(tl.int64)
                scales = scales + (weight.to(tl.float32),)
                load_ptr = down_output_ptr + dst_idx * hidden_size
                in_data = tl.load(load_ptr + offset, mask=mask & valid[j], other=0.0)
                rows = rows + (in_data,)
            # accumulate expert outputs in fp32 for better precision
            # before casting to the final output dtype.
            for j in tl.static_range(GROUP):
                added = sum_vec + rows[j].to(tl.float32) * scales[j]
                sum_vec = tl.where(valid[j], added, sum_vec)
        tl.store(store_ptr + offset, sum_vec.to(InDtype), mask=mask)
# endregion


# The harness's own: post_reorder_triton_kernel: no host function launches it
def launch_post_reorder_triton_kernel(
    down_output_ptr,
    output_ptr,
    src2dst_ptr,
    topk_ids_ptr,
    topk_weights_ptr,
    topk,
    hidden_size,
    BLOCK_SIZE,
    *,
    grid,
    num_warps=4,
    num_stages=3,
):
    """Launch `post_reorder_triton_kernel` on a grid of one to three dimensions."""
    post_reorder_triton_kernel[tuple(grid)](
        down_output_ptr=down_output_ptr,
        output_ptr=output_ptr,
        src2dst_ptr=src2dst_ptr,
        topk_ids_ptr=topk_ids_ptr,
        topk_weights_ptr=topk_weights_ptr,
        topk=topk,
        hidden_size=hidden_size,
        BLOCK_SIZE=BLOCK_SIZE,
        num_warps=num_warps,
        num_stages=num_stages,
    )
