"""`_silu_and_mul_triton_kernel` of vllm 0.26.0, standing alone."""

import torch
import triton
import triton.language as tl

import shims  # noqa: F401 - answers for torch.cuda on a machine without CUDA


# region vllm/models/inkling/nvidia/ops/silu_and_mul.py:15-72 _silu_and_mul_triton_kernel
@triton.jit
def _load_pairs(ptr, offs, num_inputs, EVEN: tl.constexpr):
    if EVEN:
        return tl.load(ptr + offs, eviction_policy="evict_first")
    else:
        return tl.load(ptr + offs, mask=offs < num_inputs, other=0.0, eviction_policy="evict_first")


@triton.jit
def _store_silu_and_mul(
    ptr, pairs, offs, num_outputs, BLOCK_SIZE: tl.constexpr, EVEN: tl.constexpr
):
    gate_out, up_out = tl.split(tl.reshape(pairs, (BLOCK_SIZE, 2)))
    gate_out = gate_out.to(tl.float32)
    up_out = up_out.to(tl.float32)
    down_inp = gate_out * tl.sigmoid(gate_out) * up_out
    if EVEN:
        tl.store(ptr + offs, down_inp)
    else:
        tl.store(ptr + offs, down_inp, mask=offs < num_outputs)


@triton.jit
def _silu_and_mul_triton_kernel(
    gateup_out_ptr,
    down_inp_ptr,
    num_outputs,
    BLOCK_SIZE: tl.constexpr,
    EVEN: tl.constexpr,
    ALIGNED: tl.constexpr,
    INT64_INDEX: tl.constexpr,
):
    # Rows follow each other without a gap, so output i needs inputs 2 * i and 2 * i + 1
    # whatever the width: one flat range, two blocks of it a program.
    start = tl.program_id(0)
    if INT64_INDEX:
        start = start.to(tl.int64)
    start = start * (2 * BLOCK_SIZE)
    num_inputs = num_outputs * 2
    if ALIGNED:
        num_inputs = tl.multiple_of(num_inputs, 16)
        num_outputs = tl.multiple_of(num_outputs, 8)

    # Interleaved fused gate/up: [g0, u0, g1, u1, ...].
    offs_2n = start * 2 + tl.arange(0, 2 * BLOCK_SIZE)
    offs_n = start + tl.arange(0, BLOCK_SIZE)

    # All loads before the first is waited for.
    first = _load_pairs(gateup_out_ptr, offs_2n, num_inputs, EVEN)
    second = _load_pairs(gateup_out_ptr, offs_2n + 2 * BLOCK_SIZE, num_inputs, EVEN)
    _store_silu_and_mul(
        down_inp_ptr, first, offs_n, num_outputs, BLOCK_SIZE, EVEN
    )
    _store_silu_and_mul(
        down_inp_ptr, second, offs_n + BLOCK_SIZE, num_outputs, BLOCK_SIZE, EVEN
    )
# endregion


# region vllm/models/inkling/nvidia/ops/silu_and_mul.py:75-126 silu_and_mul_triton
def silu_and_mul_triton(gateup_output: torch.Tensor) -> torch.Tensor:
    """SiLU-and-mul for the interleaved fused gate/up layout.

    Adapted from ``inkling_kernels.activation.silu_and_mul_fwd`` (without MXFP).
    """
    assert gateup_output.is_contiguous(), (
        f"{gateup_output.shape=} {gateup_output.stride()=}"
    )
    assert gateup_output.ndim == 2, f"{gateup_output.shape=}"

    M = gateup_output.shape[0]
    hidden_size = gateup_output.shape[1]
    assert hidden_size % 2 == 0, f"{hidden_size=}"
    N = hidden_size // 2

    down_input = torch.empty(
        (M, N), device=gateup_output.device, dtype=gateup_output.dtype
    )
    if M == 0:
        return down_input

    # 16-bit inputs: each thread loads 16 bytes a block, and keeps its pairs.
    BLOCK_SIZE = 512
    num_outputs = M * N
    _silu_and_mul_triton_kernel[(triton.cdiv(num_outputs, 2 * BLOCK_SIZE),)](
        gateup_out_ptr=gateup_output,
        down_inp_ptr=down_input,
        num_outputs=num_outputs,
        BLOCK_SIZE=BLOCK_SIZE,
        EVEN=num_outputs % (2 * BLOCK_SIZE) == 0,
        ALIGNED=N % 8 == 0,
        INT64_INDEX=gateup_output.nbytes >= 2**31,
        num_warps=4,
    )

    return down_input
# endregion
