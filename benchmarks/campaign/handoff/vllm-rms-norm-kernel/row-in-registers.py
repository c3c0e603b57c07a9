"""`_rms_norm_kernel` of vllm 0.26.0, standing alone."""

import torch
import triton
import triton.language as tl


# region vllm/model_executor/layers/batch_invariant.py:774-824 _rms_norm_kernel
@triton.jit
def _rms_norm_kernel(
    input_ptr,
    weight_ptr,
    output_ptr,
    input_row_stride,
    output_row_stride,
    n_cols,
    eps,
    BLOCK_SIZE: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
    EVEN_COLS: tl.constexpr,
):
    """
    Compute RMS normalization along the last dimension of a 2D tensor.
    RMS Norm: y = x / sqrt(mean(x^2) + eps) * weight
    Each block handles one row of the input tensor, which it reads once.
    """
    row_idx = tl.program_id(0).to(tl.int64)
    row_start_ptr = input_ptr + row_idx * input_row_stride
    output_row_start_ptr = output_ptr + row_idx * output_row_stride

    col_idx = tl.arange(0, BLOCK_SIZE)
    mask = tl.full((BLOCK_SIZE,), True, tl.int1) if EVEN_COLS else col_idx < n_cols
    if HAS_WEIGHT:
        # The weights are on their way before the row: no load moves over a barrier
        weight = tl.load(weight_ptr + col_idx, mask=mask, other=1.0)
        tl.debug_barrier()
    vals = tl.load(row_start_ptr + col_idx, mask=mask, other=0.0)

    # Step 1: Compute sum of squares in float32 to avoid overflow
    vals_f32 = vals.to(tl.float32)
    sum_sq = tl.sum(vals_f32 * vals_f32)

    # Step 2: Compute RMS (root mean square) in float32
    mean_sq = sum_sq / n_cols
    rms = tl.sqrt(mean_sq + eps)
    inv_rms = 1.0 / rms

    # Step 3: Normalize and apply weight
    output_f32 = vals_f32 * inv_rms
    if HAS_WEIGHT:
        output_f32 = output_f32 * weight.to(tl.float32)
    output = output_f32.to(vals.dtype)
    tl.store(output_row_start_ptr + col_idx, output, mask=mask)


@triton.jit
def _wide_rms_norm_kernel(
    input_ptr,
    weight_ptr,
    output_ptr,
    input_row_stride,
    output_row_stride,
    n_cols,
    eps,
    BLOCK_SIZE: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
):
    """
    The same for rows that are too wide to be held by one block.
    """
    row_idx = tl.program_id(0).to(tl.int64)
    row_start_ptr = input_ptr + row_idx * input_row_stride
    output_row_start_ptr = output_ptr + row_idx * output_row_stride

    # One sum for each column of the block, added up at the end
    sum_sq = tl.zeros([BLOCK_SIZE], dtype=tl.float32)
    for col_offset in range(0, n_cols, BLOCK_SIZE):
        col_idx = col_offset + tl.arange(0, BLOCK_SIZE)
        mask = col_idx < n_cols
        vals = tl.load(row_start_ptr + col_idx, mask=mask, other=0.0)
        vals_f32 = vals.to(tl.float32)
        sum_sq += vals_f32 * vals_f32

    mean_sq = tl.sum(sum_sq) / n_cols
    rms = tl.sqrt(mean_sq + eps)
    inv_rms = 1.0 / rms

    for col_offset in range(0, n_cols, BLOCK_SIZE):
        col_idx = col_offset + tl.arange(0, BLOCK_SIZE)
        mask = col_idx < n_cols
        vals = tl.load(row_start_ptr + col_idx, mask=mask, other=0.0)
        if HAS_WEIGHT:
            weight = tl.load(weight_ptr + col_idx, mask=mask, other=1.0)
        vals_f32 = vals.to(tl.float32)
        output_f32 = vals_f32 * inv_rms
        if HAS_WEIGHT:
            output_f32 = output_f32 * weight.to(tl.float32)
        output = output_f32.to(vals.dtype)
        tl.store(output_row_start_ptr + col_idx, output, mask=mask)
# endregion


# region vllm/model_executor/layers/batch_invariant.py:827-886 rms_norm_batch_invariant
def rms_norm_batch_invariant(
    input: torch.Tensor,
    weight: torch.Tensor | None,
    eps: float = 1e-6,
    residual: torch.Tensor | None = None,
) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
    """
    Compute RMS normalization using Triton kernel.


    Args:
        input: Input tensor of shape (..., hidden_size)
        weight: Weight tensor of shape (hidden_size,), or None to skip the
            per-channel multiply (``RMSNorm(has_weight=False)``)
        eps: Small constant for numerical stability
        residual: Optional residual tensor fused into the normalization path

    Returns:
        RMS normalized tensor, or ``(output, residual_out)`` when ``residual``
        is provided
    """
    if residual is not None:
        assert input.shape == residual.shape, (
            f"Input shape {input.shape} must match residual shape {residual.shape}"
        )
        import vllm._custom_ops as ops

        ops.fused_add_rms_norm(input, residual, weight, eps)
        return input, residual

    if weight is not None:
        assert weight.dim() == 1, "Weight must be 1-dimensional"
        assert input.shape[-1] == weight.shape[0], (
            f"Input last dimension ({input.shape[-1]}) must match "
            f"weight dimension ({weight.shape[0]})"
        )
        weight = weight.contiguous()

    # Flatten all dimensions except the last one
    original_shape = input.shape
    input_2d = input.reshape(-1, input.shape[-1])
    input_2d = input_2d.contiguous()

    n_rows, n_cols = input_2d.shape

    output = torch.empty_like(input_2d)
    # Blocks and warps follow from the width alone, and so does the order of the sum
    grid = (n_rows,)
    if n_cols <= 16384:
        BLOCK_SIZE = triton.next_power_of_2(n_cols)
        _rms_norm_kernel[grid](
            input_2d,
            weight if weight is not None else input_2d,
            output,
            input_2d.stride(0),
            output.stride(0),
            n_cols,
            eps,
            BLOCK_SIZE=BLOCK_SIZE,
            HAS_WEIGHT=weight is not None,
            EVEN_COLS=n_cols == BLOCK_SIZE,
            num_warps=max(1, min(32, BLOCK_SIZE // 256)),
        )
    else:
        _wide_rms_norm_kernel[grid](
            input_2d,
            weight if weight is not None else input_2d,
            output,
            input_2d.stride(0),
            output.stride(0),
            n_cols,
            eps,
            BLOCK_SIZE=8192,
            HAS_WEIGHT=weight is not None,
            num_warps=16,
        )
    return output.reshape(original_shape)
# endregion
