"""`_add_rmsnorm_fwd_kernel` of vllm 0.26.0, standing alone."""

from __future__ import annotations

import torch
import triton
import triton.language as tl


# region vllm/models/inkling/nvidia/ops/norm.py:11-11 _MAX_FUSED_SIZE
_MAX_FUSED_SIZE = 65536
# endregion


# region vllm/models/inkling/nvidia/ops/norm.py:14-21 _get_num_warps_from_block_size
def _get_num_warps_from_block_size(block_size: int) -> int:
    if block_size >= 32768:
        return 32
    if block_size >= 8192:
        return 16
    if block_size >= 2048:
        return 8
    return 4
# endregion


# region vllm/models/inkling/nvidia/ops/norm.py:109-143 _add_rmsnorm_fwd_kernel
@triton.jit
def _add_rmsnorm_fwd_kernel(
    res_ptr,  # [T, N] residual (read)
    delta_ptr,  # [T, N] delta to add (read)
    weight_ptr,
    y_ptr,  # [T, N] normed output
    res_out_ptr,  # [T, N] updated residual output
    eps,
    res_stride_0,
    delta_stride_0,
    y_stride_0,
    res_out_stride_0,
    n_cols,
    block_size_n: tl.constexpr,
    even: tl.constexpr,
    weight_first: tl.constexpr,
):
    pid_m = tl.program_id(0).to(tl.int64)
    offs_n = tl.arange(0, block_size_n)
    mask_n = offs_n < n_cols
    if even:
        mask_n = tl.full((block_size_n,), True, tl.int1)

    weight = tl.load(weight_ptr + offs_n, mask=mask_n, other=0.0)
    if weight_first:
        # Else the compiler moves the load behind the row's, to save registers, and few rows
        # wait for memory twice; no load moves across a barrier.
        tl.debug_barrier()
    weight = weight.to(tl.float32)
    r = tl.load(res_ptr + pid_m * res_stride_0 + offs_n, mask=mask_n, other=0.0).to(
        tl.float32
    )
    d = tl.load(delta_ptr + pid_m * delta_stride_0 + offs_n, mask=mask_n, other=0.0).to(
        tl.float32
    )
    # Round the sum to the residual dtype first (matches the eager
    # `residual + delta` then rmsnorm-on-bf16 sequence bit-for-bit).
    s = (r + d).to(res_out_ptr.dtype.element_ty)
    tl.store(res_out_ptr + pid_m * res_out_stride_0 + offs_n, s, mask=mask_n)
    x = s.to(tl.float32)
    row_var = tl.sum(x * x, axis=0) / n_cols
    rstd = tl.math.rsqrt(row_var + eps)
    y = x * rstd * weight
    tl.store(y_ptr + pid_m * y_stride_0 + offs_n, y, mask=mask_n)
# endregion


# region vllm/models/inkling/nvidia/ops/norm.py:146-185 add_rmsnorm
def add_rmsnorm(
    residual: torch.Tensor,
    delta: torch.Tensor,
    weight: torch.Tensor,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fused ``res = residual + delta; y = rmsnorm(res)``.

    Returns ``(y, res)``; both are fresh tensors (cudagraph-friendly, no
    in-place update of the inputs).
    """
    assert residual.ndim == 2 and delta.ndim == 2, (residual.shape, delta.shape)
    n_rows, n_cols = residual.shape
    assert weight.shape[0] == n_cols
    y = torch.empty_like(residual)
    res_out = torch.empty_like(residual)
    if n_rows == 0:
        return y, res_out

    block_size_n = triton.next_power_of_2(n_cols)
    max_block_size_n = _MAX_FUSED_SIZE // residual.element_size()
    if max_block_size_n < block_size_n:
        raise RuntimeError(f"Large {n_cols=} is not supported")
    num_warps = _get_num_warps_from_block_size(block_size_n)
    # Few rows leave most of the device idle: then a row takes more threads, 16 bytes of each
    # operand apiece. What does not fit on the device at once takes fewer registers, so that
    # 2048 threads stand on a multiprocessor.
    most_registers = None
    if n_rows <= 264:
        num_warps = max(num_warps, min(block_size_n // 256, 32))
    elif n_rows > 792 and block_size_n == 512 * num_warps and residual.element_size() == 2:
        most_registers = 32
    _add_rmsnorm_fwd_kernel[(n_rows,)](
        residual,
        delta,
        weight,
        y,
        res_out,
        eps,
        residual.stride(0),
        delta.stride(0),
        y.stride(0),
        res_out.stride(0),
        n_cols,
        block_size_n,
        n_cols == block_size_n,
        n_rows <= 264,
        num_warps=num_warps,
        maxnreg=most_registers,
    )
    return y, res_out
# endregion
