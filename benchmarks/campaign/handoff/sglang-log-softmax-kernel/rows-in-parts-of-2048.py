"""`_log_softmax_kernel` of sglang 0.5.17, standing alone."""

import torch
import triton
import triton.language as tl


# region sglang/srt/batch_invariant_ops/batch_invariant_ops.py:318-388 _log_softmax_kernel
@triton.jit
def _log_softmax_kernel(
    input_ptr,
    output_ptr,
    input_row_stride: tl.constexpr,
    output_row_stride: tl.constexpr,
    n_cols: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    EVEN_COLS: tl.constexpr,
):
    """
    Compute log_softmax along the last dimension of a 2D tensor.
    Each block handles one row of the input tensor, which it reads once.
    """
    # Get the row index for this block
    row_idx = tl.program_id(0).to(tl.int64)

    # Compute base pointers for input and output rows
    row_start_ptr = input_ptr + row_idx * input_row_stride
    output_row_start_ptr = output_ptr + row_idx * output_row_stride

    col_idx = tl.arange(0, BLOCK_SIZE)
    mask = tl.full((BLOCK_SIZE,), True, tl.int1) if EVEN_COLS else col_idx < n_cols
    vals = tl.load(row_start_ptr + col_idx, mask=mask, other=-float("inf"))

    # Step 1: Find maximum value in the row for numerical stability
    max_val = tl.max(vals)

    # Step 2: Compute sum of exp(x - max_val)
    shifted = vals - max_val
    sum_exp = tl.sum(tl.where(mask, tl.exp(shifted), 0.0))

    # Compute log(sum_exp)
    log_sum_exp = tl.log(sum_exp)

    # Step 3: Compute final log_softmax values: x - max_val - log_sum_exp
    output = shifted - log_sum_exp
    tl.store(output_row_start_ptr + col_idx, output, mask=mask)


@triton.jit
def _log_softmax_parts_kernel(
    input_ptr,
    parts_ptr,
    input_row_stride,
    n_cols,
    n_rows,
    n_parts,
    BLOCK_SIZE: tl.constexpr,
):
    """
    Maximum and sum of exp(x - maximum) of one part of a row of the input tensor.
    """
    row_idx = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    row_start_ptr = input_ptr + row_idx * input_row_stride

    col_idx = part * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)
    mask = col_idx < n_cols
    vals = tl.load(row_start_ptr + col_idx, mask=mask, other=-float("inf"))
    max_val = tl.max(vals)
    # A part of nothing but -inf adds 0, not exp(-inf + inf)
    shift = tl.where(max_val == -float("inf"), 0.0, max_val)
    sum_exp = tl.sum(tl.where(mask, tl.exp(vals - shift), 0.0))

    tl.store(parts_ptr + row_idx * n_parts + part, max_val)
    tl.store(parts_ptr + (n_rows + row_idx) * n_parts + part, sum_exp)


@triton.jit
def _log_softmax_of_parts_kernel(
    input_ptr,
    output_ptr,
    parts_ptr,
    input_row_stride,
    output_row_stride,
    n_cols,
    n_rows,
    n_parts,
    BLOCK_SIZE: tl.constexpr,
    PARTS_BLOCK: tl.constexpr,
):
    """
    Compute log_softmax of one part of a row from what is known of all its parts.
    """
    # Backwards: what was read last is likely to be in the cache still
    row_idx = (n_rows - 1 - tl.program_id(0)).to(tl.int64)
    row_start_ptr = input_ptr + row_idx * input_row_stride
    output_row_start_ptr = output_ptr + row_idx * output_row_stride

    col_offset = (n_parts - 1 - tl.program_id(1)) * BLOCK_SIZE
    col_idx = col_offset + tl.arange(0, BLOCK_SIZE)
    mask = col_idx < n_cols
    vals = tl.load(row_start_ptr + col_idx, mask=mask)

    part = tl.arange(0, PARTS_BLOCK)
    part_mask = part < n_parts
    max_ptr = parts_ptr + row_idx * n_parts
    sum_ptr = parts_ptr + (n_rows + row_idx) * n_parts
    part_max = tl.load(max_ptr + part, mask=part_mask, other=-float("inf"))
    part_sum = tl.load(sum_ptr + part, mask=part_mask, other=0.0)
    max_val = tl.max(part_max)
    sum_exp = tl.sum(part_sum * tl.exp(part_max - max_val))
    log_sum_exp = tl.log(sum_exp)

    output = vals - max_val - log_sum_exp
    tl.store(output_row_start_ptr + col_idx, output, mask=mask)
# endregion


# region sglang/srt/batch_invariant_ops/batch_invariant_ops.py:391-431 log_softmax
def log_softmax(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """
    Compute log_softmax using Triton kernel.

    Args:
        input: Input tensor
        dim: Dimension along which to compute log_softmax (only -1 or last dim supported)
    >> Stashed changes
    Returns:
        Tensor with log_softmax applied along the specified dimension
    """
    if dim != -1 and dim != input.ndim - 1:
        raise ValueError(
            "This implementation only supports log_softmax along the last dimension"
        )

    # Flatten all dimensions except the last one
    original_shape = input.shape
    input_2d = input.reshape(-1, input.shape[-1])
    input_2d = input_2d.contiguous()

    n_rows, n_cols = input_2d.shape

    # Allocate output tensor
    output = torch.empty_like(input_2d)

    if n_cols <= 16384:
        # Launch kernel with one block per row. Blocks and warps follow from the
        # number of columns alone, and so does the order of the sum.
        BLOCK_SIZE = triton.next_power_of_2(n_cols)
        grid = (n_rows,)
        _log_softmax_kernel[grid](
            input_2d,
            output,
            input_2d.stride(0),
            output.stride(0),
            n_cols,
            BLOCK_SIZE=BLOCK_SIZE,
            EVEN_COLS=n_cols == BLOCK_SIZE,
            num_warps=max(1, min(32, BLOCK_SIZE // 512)),
        )
    else:
        # Wider rows in parts, whatever the number of rows
        BLOCK_SIZE = 2048
        n_parts = triton.cdiv(n_cols, BLOCK_SIZE)
        parts = torch.empty(
            (2, n_rows, n_parts),
            dtype=torch.promote_types(input_2d.dtype, torch.float32),
            device=input_2d.device,
        )
        grid = (n_rows, n_parts)
        _log_softmax_parts_kernel[grid](
            input_2d,
            parts,
            input_2d.stride(0),
            n_cols,
            n_rows,
            n_parts,
            BLOCK_SIZE=BLOCK_SIZE,
            num_warps=4,
        )
        _log_softmax_of_parts_kernel[grid](
            input_2d,
            output,
            parts,
            input_2d.stride(0),
            output.stride(0),
            n_cols,
            n_rows,
            n_parts,
            BLOCK_SIZE=BLOCK_SIZE,
            PARTS_BLOCK=triton.next_power_of_2(n_parts),
            num_warps=4,
        )
    # Reshape output back to original shape
    return output.reshape(original_shape)
# endregion
