"""`moe_fused_mul_sum_kernel` of vllm 0.26.0, standing alone."""

import torch
import triton
import triton.language as tl
from torch._subclasses.fake_tensor import FakeTensor

from shims import current_platform


# region vllm/model_executor/layers/fused_moe/moe_fused_mul_sum.py:10-63 moe_fused_mul_sum_kernel
@triton.jit
def moe_fused_mul_sum_kernel(
    inputs_ptr,
    topk_weights_ptr,
    outputs_ptr,
    top_ids_ptr,
    expert_map_ptr,
    has_expert_map: tl.constexpr,
    top_k: tl.constexpr,
    size: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    # One token a program: its weights are scalars, and only the last part of a row is
    # masked.
    NUM_PARTS: tl.constexpr = (size + BLOCK_K - 1) // BLOCK_K
    token = (tl.program_id(0) // NUM_PARTS).to(tl.int64)
    pid_k = tl.program_id(0) % NUM_PARTS

    offs_k = pid_k * BLOCK_K + tl.arange(0, BLOCK_K)
    mask = offs_k < size
    if size % BLOCK_K == 0:
        mask = tl.full((BLOCK_K,), True, tl.int1)

    a_base = inputs_ptr + token * (top_k * size) + offs_k
    b_base = topk_weights_ptr + token * top_k

    acc = tl.zeros((BLOCK_K,), dtype=tl.float32)

    if top_k <= 16 and not has_expert_map:
        # Every load before the first product: the compiler would spread the loads over the
        # products, to save registers, and wait for memory twice. No load moves across a
        # barrier, and no product can be had before the first row, which is loaded behind it.
        b_vals = ()
        a_vecs = ()
        for n in tl.static_range(top_k):
            b_vals = b_vals + (tl.load(b_base + n),)
        for n in tl.static_range(1, top_k):
            a_vec = tl.load(a_base + n * size, mask=mask, other=0.0)
            a_vecs = a_vecs + (a_vec,)
        tl.debug_barrier()
        for n in tl.static_range(top_k):
            first = n == 0
            a_vec = tl.load(a_base, mask=mask, other=0.0) if first else a_vecs[n - 1]
            acc += a_vec.to(tl.float32) * b_vals[n].to(tl.float32)
    else:
        for n in tl.static_range(top_k):
            b_val = tl.load(b_base + n).to(tl.float32)
            if has_expert_map:
                id_val = tl.load(top_ids_ptr + token * top_k + n)
                expert_mask = tl.load(expert_map_ptr + id_val) >= 0
                a_vec = tl.load(
                    a_base + n * size, mask=mask & expert_mask, other=0.0
                ).to(tl.float32)
            else:
                a_vec = tl.load(a_base + n * size, mask=mask, other=0.0).to(tl.float32)
            acc += a_vec * b_val

    tl.store(
        outputs_ptr + token * size + offs_k,
        acc.to(outputs_ptr.dtype.element_ty),
        mask=mask,
    )
# endregion


# region vllm/model_executor/layers/fused_moe/moe_fused_mul_sum.py:66-132 _heuristic_config
def _heuristic_config(
    num_tokens: int,
    top_k: int,
    size: int,
    element_size: int,
):
    is_fp32 = element_size > 2
    is_sm90_plus = current_platform.has_device_capability(90)
    is_sm80_before = not current_platform.has_device_capability(80)

    if current_platform.has_device_capability(90):
        # SM90/SM100+: prefer small tiles + many CTAs.
        if is_fp32:
            BLOCK_M = 1 if num_tokens <= 4 else 2
        else:
            if num_tokens <= 4:
                BLOCK_M = 1
            elif num_tokens <= 128:
                BLOCK_M = 2
            else:
                BLOCK_M = 4
    elif is_fp32:
        if num_tokens <= 4:
            BLOCK_M = 1
        elif num_tokens <= 32:
            BLOCK_M = 2
        elif num_tokens <= 128:
            BLOCK_M = 4
        else:
            BLOCK_M = 4
    else:
        if num_tokens <= 4:
            BLOCK_M = 1
        elif num_tokens <= 32:
            BLOCK_M = 2
        elif num_tokens <= 128:
            BLOCK_M = 4
        elif num_tokens <= 1024:
            BLOCK_M = 16
        else:
            BLOCK_M = 8

    if is_fp32:
        max_block_k = 256
    elif is_sm80_before or is_sm90_plus:
        max_block_k = 512
    else:
        max_block_k = 1024
    BLOCK_K = min(triton.next_power_of_2(size), max_block_k)
    BLOCK_K = max(BLOCK_K, 256)

    total = BLOCK_M * BLOCK_K
    if is_fp32:
        num_warps = max(8, min(16, total // 64))
    else:
        num_warps = max(4, min(16, total // 256))

    if is_sm80_before:
        num_warps = min(num_warps, 8)
        num_stages = 2
    elif is_sm90_plus:
        num_warps = min(num_warps, 8)
        num_stages = 4 if total <= 2048 else 2
    else:
        num_stages = 4 if total <= 2048 else 2

    return BLOCK_M, BLOCK_K, num_warps, num_stages
# endregion


# region vllm/model_executor/layers/fused_moe/moe_fused_mul_sum.py:135-202 moe_fused_mul_sum
def moe_fused_mul_sum(
    inputs: torch.Tensor,
    topk_weights: torch.Tensor,
    outputs: torch.Tensor | None = None,
    topk_ids: torch.Tensor | None = None,
    expert_map: torch.Tensor | None = None,
) -> torch.Tensor:
    """
    Fused kernel for MoE (Mixture of Experts) to perform weighted summation
    of expert outputs.

    Args:
        inputs: The output from experts.
            Shape: (num_tokens, top_k, hidden_size).
        topk_weights: The weights assigned to each expert for each token.
            Shape: (num_tokens, top_k).
        outputs: Optional pre-allocated output tensor.
            Shape: (num_tokens, hidden_size).
        topk_ids: Optional indices of the top-k experts. Used when
            `expert_map` is provided. Shape: (num_tokens, top_k).
        expert_map: Optional mapping for Expert Parallelism. A value < 0
            indicates an invalid token/expert pair that will be skipped.

    Returns:
        The fused weighted sum of expert outputs.
        Shape: (num_tokens, hidden_size).
    """
    assert inputs.ndim == 3
    assert topk_weights.ndim == 2
    assert inputs.is_contiguous()
    assert topk_weights.is_contiguous()
    assert inputs.dtype in (torch.float32, torch.float16, torch.bfloat16)
    assert topk_weights.dtype in (torch.float32, torch.float16, torch.bfloat16)

    num_tokens, top_k, size = inputs.shape
    output_shape = (num_tokens, size)
    if outputs is None:
        outputs = torch.empty(output_shape, dtype=inputs.dtype, device=inputs.device)

    assert outputs.shape == output_shape
    assert topk_weights.shape == (num_tokens, top_k)

    if not isinstance(inputs, FakeTensor):
        # 16 bytes an expert for each thread.
        num_warps = 2
        BLOCK_K = num_warps * 32 * (16 // inputs.element_size())
        grid = (triton.cdiv(size, BLOCK_K) * num_tokens,)
        moe_fused_mul_sum_kernel[grid](
            inputs,
            topk_weights,
            outputs,
            topk_ids,
            expert_map,
            expert_map is not None,
            top_k,
            size,
            BLOCK_K,
            num_warps=num_warps,
        )

    return outputs
# endregion
