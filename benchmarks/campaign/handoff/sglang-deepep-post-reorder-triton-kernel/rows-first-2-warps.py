"""`deepep_post_reorder_triton_kernel` of sglang 0.5.17, standing alone."""

import torch
import triton
import triton.language as tl


# region sglang/kernels/ops/moe/ep_moe_kernels.py:109-142 deepep_post_reorder_triton_kernel
@triton.jit
def deepep_post_reorder_triton_kernel(
    down_output_ptr,
    output_ptr,
    src2dst_ptr,
    topk_ids_ptr,
    topk_weights_ptr,
    topk: tl.constexpr,
    hidden_size,
    routed_scaling_factor: tl.constexpr,
    num_blocks,
    BLOCK_SIZE: tl.constexpr,
):
    InDtype = down_output_ptr.dtype.element_ty

    src_idx = (tl.program_id(0) // num_blocks).to(tl.int64)
    start_offset = tl.program_id(0) % num_blocks * BLOCK_SIZE
    src2dst_ptr = src2dst_ptr + src_idx * topk
    topk_ids_ptr = topk_ids_ptr + src_idx * topk
    topk_weights_ptr = topk_weights_ptr + src_idx * topk

    store_ptr = output_ptr + src_idx * hidden_size
    offset = start_offset + tl.arange(0, BLOCK_SIZE)
    mask = offset < hidden_size
    sum_vec = tl.zeros([BLOCK_SIZE], dtype=InDtype)
    if topk <= 16:
        # Every load before the first sum, so that memory is waited for twice: once for
        # where the rows are, once for the rows. No load moves across a barrier.
        dst_idxs = ()
        weigh_scales = ()
        rows = ()
        for idx in tl.static_range(topk):
            dst_idxs = dst_idxs + (tl.load(src2dst_ptr + idx).to(tl.int64),)
            weigh_scale = tl.load(topk_weights_ptr + idx).to(InDtype)
            if routed_scaling_factor != 1.0:
                weigh_scale = weigh_scale * routed_scaling_factor
            weigh_scales = weigh_scales + (weigh_scale,)
        for idx in tl.static_range(1, topk):
            load_ptr = down_output_ptr + dst_idxs[idx] * hidden_size
            in_data = tl.load(load_ptr + offset, mask=mask & (dst_idxs[idx] >= 0))
            rows = rows + (in_data,)
        tl.debug_barrier()
        for idx in tl.static_range(topk):
            if idx == 0:
                load_ptr = down_output_ptr + dst_idxs[0] * hidden_size
                in_data = tl.load(load_ptr + offset, mask=mask & (dst_idxs[0] >= 0))
            else:
                in_data = rows[idx - 1]
            added = sum_vec + in_data * weigh_scales[idx]
            sum_vec = tl.where(dst_idxs[idx] >= 0, added, sum_vec).to(InDtype)
    else:
        for idx in range(topk):
            dst_idx = tl.load(src2dst_ptr + idx).to(tl.int64)
            if dst_idx >= 0:
                weigh_scale = tl.load(topk_weights_ptr + idx).to(InDtype)
                if routed_scaling_factor != 1.0:
                    weigh_scale = weigh_scale * routed_scaling_factor
                load_ptr = down_output_ptr + dst_idx * hidden_size
                in_data = tl.load(load_ptr + offset, mask=mask)
                sum_vec += in_data * weigh_scale
    tl.store(store_ptr + offset, sum_vec, mask=mask)
# endregion


# region sglang/kernels/ops/moe/ep_moe_kernels.py:2044-2074 moe_unpermute
def moe_unpermute(
    inputs: torch.Tensor,
    src2dst: torch.Tensor,
    topk_ids: torch.Tensor,
    topk_weights: torch.Tensor,
    routed_scaling_factor: float | None = None,
    outputs: torch.Tensor | None = None,
) -> torch.Tensor:
    num_tokens = topk_ids.size(0)
    output_shape = (num_tokens, inputs.size(1))
    if outputs is None:
        outputs = torch.empty(output_shape, dtype=inputs.dtype, device=inputs.device)

    assert outputs.shape == output_shape
    assert outputs.dtype == inputs.dtype
    assert outputs.device == inputs.device

    # 16 bytes an expert for each thread.
    num_warps = 2
    BLOCK_SIZE = num_warps * 32 * (16 // inputs.element_size())
    num_blocks = triton.cdiv(inputs.size(1), BLOCK_SIZE)
    deepep_post_reorder_triton_kernel[(num_tokens * num_blocks,)](
        inputs,
        outputs,
        src2dst,
        topk_ids,
        topk_weights,
        topk_ids.size(1),
        inputs.size(1),
        1.0 if routed_scaling_factor is None else routed_scaling_factor,
        num_blocks,
        BLOCK_SIZE=BLOCK_SIZE,
        num_warps=num_warps,
    )

    assert outputs is not None
    return outputs
# endregion
