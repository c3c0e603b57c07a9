"""`post_reorder_deepgemm_triton_kernel` of sglang 0.5.17, standing alone."""

import torch
import triton
import triton.language as tl

import shims  # noqa: F401 - answers for torch.cuda on a machine without CUDA


# region sglang/kernels/ops/moe/ep_moe_kernels.py:51-75 _get_launch_config_2d
def _get_launch_config_2d(device, m, n):
    MAX_THREADS_PER_BLOCK = 1024
    MIN_THREADS_PER_BLOCK = 512
    MAX_WAVES = 8  # empirical numbers

    props = torch.cuda.get_device_properties(device)
    sm_count = props.multi_processor_count
    max_threads_per_sm = props.max_threads_per_multi_processor
    max_num_blocks = sm_count * max_threads_per_sm // MAX_THREADS_PER_BLOCK

    block_dim = MAX_THREADS_PER_BLOCK

    def get_num_blocks(block_dim):
        return m * triton.cdiv(n, block_dim)

    while (
        block_dim > MIN_THREADS_PER_BLOCK
        and get_num_blocks(block_dim // 2) <= max_num_blocks
    ):
        block_dim = block_dim // 2

    grid_dim_x = triton.cdiv(n, block_dim)
    grid_dim_y = max(min(m, max_num_blocks * MAX_WAVES // grid_dim_x), 1)

    return (grid_dim_y, grid_dim_x), block_dim
# endregion


# region sglang/kernels/ops/moe/ep_moe_kernels.py:900-947 post_reorder_deepgemm_triton_kernel
@triton.jit
def post_reorder_deepgemm_triton_kernel(
    down_output_ptr,
    output_ptr,
    src2dst_ptr,
    topk_ids_ptr,
    topk_weights_ptr,
    topk: tl.constexpr,
    hidden_size,
    num_blocks,
    routed_scaling_factor: float,
    BLOCK_SIZE: tl.constexpr,
):
    """`expert_id >= 0` includes the shared expert at num_experts (padding=-1); don't
    switch to the cutlass `!= num_local_experts` gate. routed_scaling_factor is folded into the store.
    """
    OutDtype = output_ptr.dtype.element_ty

    src_idx = (tl.program_id(0) // num_blocks).to(tl.int64)
    token_src2dst_ptr = src2dst_ptr + src_idx * topk
    token_topk_ids_ptr = topk_ids_ptr + src_idx * topk
    token_topk_weights_ptr = topk_weights_ptr + src_idx * topk

    offset = tl.program_id(0) % num_blocks * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)
    mask = offset < hidden_size
    down_output_ptr_offs = down_output_ptr + offset

    sum_vec = tl.zeros([BLOCK_SIZE], dtype=tl.float32)
    if topk <= 16:
        # Every row is on its way before the first is added.
        expert_ids = ()
        weight_scales = ()
        rows = ()
        for idx in tl.static_range(topk):
            expert_id = tl.load(token_topk_ids_ptr + idx)
            dst_idx = tl.load(token_src2dst_ptr + idx).to(tl.int64)
            weight_scale = tl.load(token_topk_weights_ptr + idx).to(tl.float32)
            load_ptr_offs = down_output_ptr_offs + dst_idx * hidden_size
            in_data = tl.load(load_ptr_offs, mask=mask & (expert_id >= 0))
            expert_ids = expert_ids + (expert_id,)
            weight_scales = weight_scales + (weight_scale,)
            rows = rows + (in_data,)
        tl.debug_barrier()
        for idx in tl.static_range(topk):
            added = sum_vec + rows[idx].to(tl.float32) * weight_scales[idx]
            sum_vec = tl.where(expert_ids[idx] >= 0, added, sum_vec)
    else:
        for idx in range(topk):
            expert_id = tl.load(token_topk_ids_ptr + idx)
            if expert_id >= 0:
                dst_idx = tl.load(token_src2dst_ptr + idx).to(tl.int64)
                weight_scale = tl.load(token_topk_weights_ptr + idx).to(tl.float32)
                load_ptr_offs = down_output_ptr_offs + dst_idx * hidden_size
                in_data = tl.load(load_ptr_offs, mask=mask).to(tl.float32)
                sum_vec += in_data * weight_scale
    sum_vec *= routed_scaling_factor
    store_ptr_offs = output_ptr + offset + src_idx * hidden_size
    tl.store(store_ptr_offs, sum_vec.to(OutDtype), mask=mask)
# endregion


# region sglang/kernels/ops/moe/ep_moe_kernels.py:950-974 post_reorder_deepgemm
def post_reorder_deepgemm(
    down_output,
    output,
    src2dst,
    topk_ids,
    topk_weights,
    topk,
    num_tokens,
    hidden_size,
    routed_scaling_factor: float,
):
    # 16 bytes of each expert's row for each thread.
    num_warps = 4
    block_dim = num_warps * 32 * max(1, 16 // down_output.element_size())
    num_blocks = triton.cdiv(hidden_size, block_dim)
    post_reorder_deepgemm_triton_kernel[(num_tokens * num_blocks,)](
        down_output,
        output,
        src2dst,
        topk_ids,
        topk_weights,
        topk,
        hidden_size,
        num_blocks,
        float(routed_scaling_factor),
        BLOCK_SIZE=block_dim,
        num_warps=num_warps,
    )
# endregion
