"""`merge_state_kernel` of sglang 0.5.17, standing alone."""

import torch
import triton
import triton.language as tl
from typing import Optional
from typing import Tuple


# region sglang/kernels/ops/attention/merge_state.py:8-63 merge_state_kernel
@triton.jit
def merge_state_kernel(
    output,  # [NUM_TOKENS, NUM_HEADS, HEAD_SIZE] v_merged
    output_lse,  # [NUM_TOKENS, NUM_HEADS] s_merged
    prefix_output,  # [NUM_TOKENS, NUM_HEADS, HEAD_SIZE] v_a
    prefix_lse,  # [NUM_TOKENS, NUM_HEADS] s_a
    suffix_output,  # [NUM_TOKENS, NUM_HEADS, HEAD_SIZE] v_b
    suffix_lse,  # [NUM_TOKENS, NUM_HEADS] s_b
    HEAD_SIZE: tl.constexpr,
    PADDED_HEAD_SIZE: tl.constexpr,
    OUTPUT_LSE: tl.constexpr,
    num_rows,
    ROWS_PER_PROGRAM: tl.constexpr,
):
    # A row is one head of one token; rows lie one after another in every tensor.
    row = tl.program_id(0) * ROWS_PER_PROGRAM + tl.arange(0, ROWS_PER_PROGRAM)
    row_mask = row < num_rows
    head_arange = tl.arange(0, PADDED_HEAD_SIZE)
    offsets = row[:, None] * HEAD_SIZE + head_arange[None, :]
    if HEAD_SIZE == PADDED_HEAD_SIZE:
        mask = row_mask[:, None]
    else:
        mask = row_mask[:, None] & (head_arange < HEAD_SIZE)[None, :]

    # All four loads before the first store: none then waits for another's data.
    p_out = tl.load(prefix_output + offsets, mask=mask, eviction_policy="evict_first")
    s_out = tl.load(suffix_output + offsets, mask=mask, eviction_policy="evict_first")
    p_lse = tl.load(prefix_lse + row, mask=row_mask)
    s_lse = tl.load(suffix_lse + row, mask=row_mask)
    p_lse = tl.where(p_lse == float("inf"), float("-inf"), p_lse)
    s_lse = tl.where(s_lse == float("inf"), float("-inf"), s_lse)

    max_lse = tl.maximum(p_lse, s_lse)
    p_lse = p_lse - max_lse
    s_lse = s_lse - max_lse
    p_se = tl.exp(p_lse)
    s_se = tl.exp(s_lse)
    out_se = p_se + s_se

    p_scale = p_se / out_se
    s_scale = s_se / out_se
    out = p_out * p_scale[:, None] + s_out * s_scale[:, None]
    tl.store(output + offsets, out, mask=mask)

    if OUTPUT_LSE:
        out_lse = tl.log(out_se) + max_lse
        tl.store(output_lse + row, out_lse, mask=row_mask)
# endregion


# region sglang/kernels/ops/attention/merge_state.py:66-96 merge_state_triton
def merge_state_triton(
    prefix_output: torch.Tensor,
    prefix_lse: torch.Tensor,
    suffix_output: torch.Tensor,
    suffix_lse: torch.Tensor,
    output: Optional[torch.Tensor] = None,
    output_lse: Optional[torch.Tensor] = None,
) -> Tuple[torch.Tensor, Optional[torch.Tensor]]:
    # Avoid creating new tensors if they are already provided
    if output is None:
        output = torch.empty_like(prefix_output)
    if output_lse is None:
        output_lse = torch.empty_like(prefix_lse)

    num_tokens = output.shape[0]
    num_query_heads = output.shape[1]
    head_size = output.shape[2]
    padded_head_size = triton.next_power_of_2(head_size)

    num_rows = num_tokens * num_query_heads
    rows_per_program = max(1, 512 // padded_head_size)
    merge_state_kernel[(triton.cdiv(num_rows, rows_per_program),)](
        output,
        output_lse,
        prefix_output,
        prefix_lse,
        suffix_output,
        suffix_lse,
        head_size,
        padded_head_size,
        output_lse is not None,
        num_rows,
        rows_per_program,
        num_warps=2,
    )
    return output, output_lse
# endregion
