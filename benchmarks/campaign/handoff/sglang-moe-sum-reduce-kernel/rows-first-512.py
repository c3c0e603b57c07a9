"""`_moe_sum_reduce_kernel` of sglang 0.5.17, standing alone."""

from __future__ import annotations

import torch
import triton
import triton.language as tl


# region sglang/kernels/ops/moe/fused_moe_triton_kernels.py:1092-1142 _moe_sum_reduce_kernel
# _moe_sum_reduce_kernel kernel modified from https://github.com/ModelTC/lightllm/blob/main/lightllm/common/fused_moe/moe_sum_reduce.py
@triton.jit
def _moe_sum_reduce_kernel(
    input_ptr,
    output_ptr,
    topk_num: tl.constexpr,
    hidden_dim: tl.constexpr,
    routed_scaling_factor: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
):
    # Parts of one token follow each other, so that what runs at a time reads whole rows.
    NUM_PARTS: tl.constexpr = (hidden_dim + BLOCK_DIM - 1) // BLOCK_DIM
    token_id = (tl.program_id(0) // NUM_PARTS).to(tl.int64)
    part_id = tl.program_id(0) % NUM_PARTS

    offs_dim = part_id * BLOCK_DIM + tl.arange(0, BLOCK_DIM)
    mask_dim = offs_dim < hidden_dim
    if hidden_dim % BLOCK_DIM == 0:
        mask_dim = tl.full((BLOCK_DIM,), True, tl.int1)

    base_ptrs = input_ptr + token_id * (topk_num * hidden_dim) + offs_dim
    accumulator = tl.zeros((BLOCK_DIM,), dtype=tl.float32)

    if topk_num > 1 and topk_num <= 16:
        # Every row before the first sum: the compiler would spread the loads over the sums, to
        # save registers, and wait for memory twice. No load moves across a barrier, and no sum
        # can be had before the first row, which is loaded behind it.
        tiles = ()
        for i in tl.static_range(1, topk_num):
            tile = tl.load(base_ptrs + i * hidden_dim, mask=mask_dim, other=0.0)
            tiles = tiles + (tile,)
        tl.debug_barrier()
        tile = tl.load(base_ptrs, mask=mask_dim, other=0.0)
        accumulator += tile.to(tl.float32)
        for i in tl.static_range(1, topk_num):
            accumulator += tiles[i - 1].to(tl.float32)
    else:
        for i in tl.range(0, topk_num):
            tile = tl.load(base_ptrs + i * hidden_dim, mask=mask_dim, other=0.0)
            accumulator += tile.to(tl.float32)
    accumulator *= routed_scaling_factor

    # -------- Write back --------
    tl.store(
        output_ptr + token_id * hidden_dim + offs_dim,
        accumulator.to(input_ptr.dtype.element_ty),
        mask=mask_dim,
    )
# endregion


# region sglang/kernels/ops/moe/fused_moe_triton_kernels.py:1145-1178 moe_sum_reduce_triton
def moe_sum_reduce_triton(
    input: torch.Tensor, output: torch.Tensor, routed_scaling_factor: float
):
    assert input.is_contiguous()
    assert output.is_contiguous()

    token_num, topk_num, hidden_dim = input.shape
    assert output.shape[0] == token_num and output.shape[1] == hidden_dim

    # 16 bytes of 16-bit numbers a thread and expert.
    BLOCK_DIM = 512
    num_warps = 2

    grid = (token_num * triton.cdiv(hidden_dim, BLOCK_DIM),)

    _moe_sum_reduce_kernel[grid](
        input,
        output,
        topk_num=topk_num,
        hidden_dim=hidden_dim,
        routed_scaling_factor=routed_scaling_factor,
        BLOCK_DIM=BLOCK_DIM,
        num_warps=num_warps,
    )
    return
# endregion
