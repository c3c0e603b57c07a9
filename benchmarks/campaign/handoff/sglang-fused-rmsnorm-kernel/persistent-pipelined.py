"""`fused_rmsnorm_kernel` of sglang 0.5.17, standing alone."""

import torch
import triton
import triton.language as tl

from shims import is_hip


# region sglang/kernels/ops/elementwise/elementwise.py:8-8 _is_hip
_is_hip = is_hip()
# endregion


# region sglang/kernels/ops/elementwise/elementwise.py:139-167 fused_rmsnorm_kernel
@triton.jit
def fused_rmsnorm_kernel(
    output_ptr,
    activ_ptr,
    weight_ptr,
    eps: tl.constexpr,
    hidden_dim: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    num_rows,
    PERSISTENT: tl.constexpr,
):
    pid = tl.program_id(axis=0).to(tl.int64)

    offsets = tl.arange(0, BLOCK_SIZE)
    mask = offsets < hidden_dim
    if BLOCK_SIZE == hidden_dim:
        mask = tl.full((BLOCK_SIZE,), True, tl.int1)

    # The weights first, so that their latency hides behind the row's. The compiler would
    # move them behind the reduction again, to save registers; not across a barrier.
    w1_ = tl.load(weight_ptr + offsets, mask=mask, other=0.0)
    tl.debug_barrier()

    if PERSISTENT:
        w1 = w1_.to(tl.float32)
        # The rows after this one are on their way to shared memory while it is reduced.
        for row in tl.range(pid, num_rows, tl.num_programs(axis=0), num_stages=3):
            input_start = row * hidden_dim
            a_ = tl.load(activ_ptr + input_start + offsets, mask=mask, other=0.0)
            a = a_.to(tl.float32)
            inv_rms = 1.0 / tl.sqrt(tl.sum(a * a, axis=0) / hidden_dim + eps)
            tl.store(
                output_ptr + input_start + offsets,
                a * inv_rms * w1,  # implicitly casts to output dtype here
                mask=mask,
            )
    else:
        input_start = pid * hidden_dim
        a_ = tl.load(activ_ptr + input_start + offsets, mask=mask, other=0.0)
        a = a_.to(tl.float32)
        inv_rms = 1.0 / tl.sqrt(tl.sum(a * a, axis=0) / hidden_dim + eps)
        tl.store(
            output_ptr + input_start + offsets,
            a * inv_rms * w1_.to(tl.float32),  # implicitly casts to output dtype here
            mask=mask,
        )
# endregion


# region sglang/kernels/ops/elementwise/elementwise.py:170-188 fused_rmsnorm
def fused_rmsnorm(x, weight, eps, autotune=False, inplace=False):
    assert len(x.shape) == 2
    if inplace:
        output = x
    else:
        output = torch.empty_like(x)
    bs, hidden_dim = x.shape
    max_warps = 16 if _is_hip else 32
    # From two rows for each program on, programs stay and keep the weights; fewer rows
    # take more threads each, since they leave most of the device idle.
    per_warp = 256 if bs <= 264 else 512
    num_warps = max(
        min(triton.next_power_of_2(triton.cdiv(hidden_dim, per_warp)), max_warps), 4
    )
    programs = 132 * 32 // num_warps
    persistent = bs >= 2 * programs
    config = {
        "BLOCK_SIZE": triton.next_power_of_2(hidden_dim),
        "num_warps": num_warps,
    }

    fused_rmsnorm_kernel[(programs if persistent else bs,)](
        output,
        x,
        weight,
        eps=eps,
        hidden_dim=hidden_dim,
        num_rows=bs,
        PERSISTENT=persistent,
        **config,
    )
    return output
# endregion
