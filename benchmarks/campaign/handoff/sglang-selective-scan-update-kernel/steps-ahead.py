"""`_selective_scan_update_kernel` of sglang 0.5.17, standing alone."""

import triton
import triton.language as tl

from shims import version


# region sglang/kernels/ops/mamba/triton_ops/mamba_ssm.py:18-18 TRITON3
TRITON3 = version.parse(triton.__version__) >= version.parse("3.0.0")
# endregion


# region sglang/kernels/ops/mamba/triton_ops/mamba_ssm.py:20-32 softplus
if TRITON3:

    @triton.jit
    def softplus(dt):
        dt = tl.where(dt <= 20.0, tl.math.log(tl.math.exp(dt) + 1), dt)
        return dt

else:

    @triton.jit
    def softplus(dt):
        dt = tl.where(dt <= 20.0, tl.math.log1p(tl.exp(dt)), dt)
        return dt
# endregion


# region sglang/kernels/ops/mamba/triton_ops/mamba_ssm.py:35-47 convert_rs_fp16x2
@triton.jit
def convert_rs_fp16x2(x: tl.tensor, rand: tl.tensor) -> tl.tensor:
    y = tl.inline_asm_elementwise(
        asm="""{
cvt.rs.f16x2.f32 $0, $2, $1, $3;
}""",
        constraints="=r,r,r,r,r",
        args=(x, rand),
        dtype=tl.float16,
        is_pure=True,
        pack=2,
    )
    return y
# endregion


# region sglang/kernels/ops/mamba/triton_ops/mamba_ssm.py:50-348 _selective_scan_update_kernel
@triton.heuristics({"HAS_DT_BIAS": lambda args: args["dt_bias_ptr"] is not None})
@triton.heuristics({"HAS_D": lambda args: args["D_ptr"] is not None})
@triton.heuristics({"HAS_Z": lambda args: args["z_ptr"] is not None})
@triton.heuristics(
    {
        "HAS_STATE_BATCH_INDICES": lambda args: args["state_batch_indices_ptr"]
        is not None
    }
)
@triton.heuristics(
    {"BLOCK_SIZE_DSTATE": lambda args: triton.next_power_of_2(args["dstate"])}
)
@triton.heuristics(
    {
        "CACHE_INTERMEDIATE_STATES": lambda args: args["intermediate_states_buffer"]
        is not None
    }
)
@triton.heuristics(
    {
        "HAS_EAGLE_TREE_CUSTOM_ATTN_MASK": lambda args: args[
            "retrieve_parent_token_ptr"
        ]
        is not None
    }
)
@triton.heuristics(
    {
        "HAS_INTERMEDIATE_STATE_INDICES": lambda args: args[
            "intermediate_state_indices_ptr"
        ]
        is not None
    }
)
@triton.jit(do_not_specialize=["T"])
def _selective_scan_update_kernel(
    # Pointers to matrices
    state_ptr,
    x_ptr,
    dt_ptr,
    dt_bias_ptr,
    A_ptr,
    B_ptr,
    C_ptr,
    D_ptr,
    z_ptr,
    out_ptr,
    state_batch_indices_ptr,
    pad_slot_id,
    intermediate_states_buffer,
    cache_steps,
    retrieve_parent_token_ptr,
    intermediate_state_indices_ptr,
    rand_seed_ptr,
    # Matrix dimensions
    batch,
    T,
    nheads,
    dim,
    dstate,
    nheads_ngroups_ratio,
    # Strides
    stride_state_batch,
    stride_state_head,
    stride_state_dim,
    stride_state_dstate,
    stride_x_batch,
    stride_x_T,
    stride_x_head,
    stride_x_dim,
    stride_dt_batch,
    stride_dt_T,
    stride_dt_head,
    stride_dt_dim,
    stride_dt_bias_head,
    stride_dt_bias_dim,
    stride_A_head,
    stride_A_dim,
    stride_A_dstate,
    stride_B_batch,
    stride_B_T,
    stride_B_group,
    stride_B_dstate,
    stride_C_batch,
    stride_C_T,
    stride_C_group,
    stride_C_dstate,
    stride_D_head,
    stride_D_dim,
    stride_z_batch,
    stride_z_T,
    stride_z_head,
    stride_z_dim,
    stride_out_batch,
    stride_out_T,
    stride_out_head,
    stride_out_dim,
    stride_retrieve_parent_token_batch,
    stride_retrieve_parent_token_T,
    # Meta-parameters
    DT_SOFTPLUS: tl.constexpr,
    TIE_HDIM: tl.constexpr,
    BLOCK_SIZE_M: tl.constexpr,
    HAS_DT_BIAS: tl.constexpr,
    HAS_D: tl.constexpr,
    HAS_Z: tl.constexpr,
    HAS_STATE_BATCH_INDICES: tl.constexpr,
    DISABLE_STATE_UPDATE: tl.constexpr,
    CACHE_INTERMEDIATE_STATES: tl.constexpr,
    HAS_EAGLE_TREE_CUSTOM_ATTN_MASK: tl.constexpr,
    HAS_INTERMEDIATE_STATE_INDICES: tl.constexpr,
    BLOCK_SIZE_DSTATE: tl.constexpr,
    USE_RS_ROUNDING: tl.constexpr,
    PHILOX_ROUNDS: tl.constexpr,
    USE_GDC: tl.constexpr = False,
):
    if USE_GDC:
        tl.extra.cuda.gdc_wait()

    pid_m = tl.program_id(axis=0)
    pid_b = tl.program_id(axis=1)
    pid_h = tl.program_id(axis=2)

    if pid_m * BLOCK_SIZE_M >= dim:
        return

    # If HAS_STATE_BATCH_INDICES is true, then the ssm state's batch coordinate
    # is taken from the state_batch_indices_ptr Otherwise, the state coordinate
    # is the same as the batch id.
    if HAS_STATE_BATCH_INDICES:
        state_batch_indices_ptr += pid_b
        state_batch_idx = tl.load(state_batch_indices_ptr).to(tl.int64)
        state_ptr += state_batch_idx * stride_state_batch + pid_h * stride_state_head
    else:
        state_ptr += pid_b * stride_state_batch + pid_h * stride_state_head

    x_ptr += pid_b * stride_x_batch + pid_h * stride_x_head
    dt_ptr += pid_b * stride_dt_batch + pid_h * stride_dt_head
    if HAS_DT_BIAS:
        dt_bias_ptr += pid_h * stride_dt_bias_head
    A_ptr += pid_h * stride_A_head
    B_ptr += pid_b * stride_B_batch + (pid_h // nheads_ngroups_ratio) * stride_B_group
    C_ptr += pid_b * stride_C_batch + (pid_h // nheads_ngroups_ratio) * stride_C_group
    if HAS_Z:
        z_ptr += pid_b * stride_z_batch + pid_h * stride_z_head
    out_ptr += pid_b * stride_out_batch + pid_h * stride_out_head

    offs_m = pid_m * BLOCK_SIZE_M + tl.arange(0, BLOCK_SIZE_M)
    offs_n = tl.arange(0, BLOCK_SIZE_DSTATE)
    state_ptrs = state_ptr + (
        offs_m[:, None] * stride_state_dim + offs_n[None, :] * stride_state_dstate
    )

    if CACHE_INTERMEDIATE_STATES:
        if HAS_INTERMEDIATE_STATE_INDICES:
            intermediate_state_idx = tl.load(intermediate_state_indices_ptr + pid_b).to(
                tl.int64
            )
    # What does not wait for an index is asked for before the state, which does: all that is
    # the same for every step, and the first step's own.
    mask_m = offs_m < dim
    mask_n = offs_n < dstate
    any_step = T > 0
    if not TIE_HDIM:
        dt_ptrs = dt_ptr + offs_m * stride_dt_dim
        A_ptrs = (
            A_ptr + offs_m[:, None] * stride_A_dim + offs_n[None, :] * stride_A_dstate
        )
        A = tl.load(A_ptrs, mask=mask_m[:, None] & mask_n[None, :], other=0.0).to(
            tl.float32
        )
        if HAS_DT_BIAS:
            dt_bias_ptrs = dt_bias_ptr + offs_m * stride_dt_bias_dim
            dt_bias = tl.load(dt_bias_ptrs, mask=mask_m, other=0.0).to(tl.float32)
        next_dt = tl.load(dt_ptrs, mask=mask_m & any_step, other=0.0)
    else:
        A = tl.load(A_ptr).to(tl.float32)
        if HAS_DT_BIAS:
            dt_bias = tl.load(dt_bias_ptr).to(tl.float32)
        next_dt = tl.load(dt_ptr, mask=any_step, other=0.0)
    if HAS_D:
        D_ptrs = D_ptr + pid_h * stride_D_head + offs_m * stride_D_dim
        D = tl.load(D_ptrs, mask=mask_m, other=0.0).to(tl.float32)
    x_ptrs = x_ptr + offs_m * stride_x_dim
    B_ptrs = B_ptr + offs_n * stride_B_dstate
    C_ptrs = C_ptr + offs_n * stride_C_dstate
    out_ptrs = out_ptr + offs_m * stride_out_dim
    next_x = tl.load(x_ptrs, mask=mask_m & any_step, other=0.0)
    next_B = tl.load(B_ptrs, mask=mask_n & any_step, other=0.0)
    next_C = tl.load(C_ptrs, mask=mask_n & any_step, other=0.0)
    if HAS_Z:
        z_ptrs = z_ptr + offs_m * stride_z_dim
        next_z = tl.load(z_ptrs, mask=mask_m & any_step, other=0.0)
    if HAS_EAGLE_TREE_CUSTOM_ATTN_MASK:
        # The parent of a step is asked for two steps ahead.
        parent_ptr = (
            retrieve_parent_token_ptr
            + pid_b * stride_retrieve_parent_token_batch
            + stride_retrieve_parent_token_T
        )
        next_parent = tl.load(parent_ptr, mask=T > 1, other=-1)
        parent_ptr += stride_retrieve_parent_token_T
        second_parent = tl.load(parent_ptr, mask=T > 2, other=-1)

    mask = mask_m[:, None] & mask_n[None, :]
    if HAS_STATE_BATCH_INDICES:
        mask &= state_batch_idx != pad_slot_id
    state = tl.load(state_ptrs, mask=mask, other=0.0).to(tl.float32)

    cache_idx = -1
    if CACHE_INTERMEDIATE_STATES:
        if HAS_INTERMEDIATE_STATE_INDICES:
            cache_idx = intermediate_state_idx
        elif HAS_STATE_BATCH_INDICES:
            cache_idx = state_batch_idx
        else:
            cache_idx = pid_b

    current_step_idx = 0
    for _ in range(T):
        x, dt, B, C = next_x, next_dt, next_B, next_C
        more = current_step_idx + 1 < T
        x_ptrs += stride_x_T
        next_x = tl.load(x_ptrs, mask=mask_m & more, other=0.0)
        B_ptrs += stride_B_T
        next_B = tl.load(B_ptrs, mask=mask_n & more, other=0.0)
        C_ptrs += stride_C_T
        next_C = tl.load(C_ptrs, mask=mask_n & more, other=0.0)
        if not TIE_HDIM:
            dt_ptrs += stride_dt_T
            next_dt = tl.load(dt_ptrs, mask=mask_m & more, other=0.0)
        else:
            dt_ptr += stride_dt_T
            next_dt = tl.load(dt_ptr, mask=more, other=0.0)
        if HAS_Z:
            z = next_z
            z_ptrs += stride_z_T
            next_z = tl.load(z_ptrs, mask=mask_m & more, other=0.0)

        if HAS_EAGLE_TREE_CUSTOM_ATTN_MASK:
            if current_step_idx != 0:
                parent_step_idx = next_parent.to(tl.int32)
                next_parent = second_parent
                parent_ptr += stride_retrieve_parent_token_T
                second_parent = tl.load(
                    parent_ptr, mask=current_step_idx + 2 < T, other=-1
                )
                if cache_idx >= 0 and parent_step_idx >= 0 and parent_step_idx < T:
                    step_offset = parent_step_idx * nheads * dim * dstate
                    cache_ptr = (
                        intermediate_states_buffer
                        + cache_idx * cache_steps * nheads * dim * dstate
                        + step_offset
                        + pid_h * dim * dstate
                        + offs_m[:, None] * dstate
                        + offs_n[None, :]
                    )
                    state = tl.load(cache_ptr, mask=mask, other=0.0).to(tl.float32)

        x = x.to(tl.float32)
        B = B.to(tl.float32)
        C = C.to(tl.float32)
        dt = dt.to(tl.float32)
        if HAS_DT_BIAS:
            dt += dt_bias
        if DT_SOFTPLUS:
            dt = softplus(dt)
        if not TIE_HDIM:
            dA = tl.exp(A * dt[:, None])
        else:
            dA = tl.exp(A * dt)  # scalar, not a matrix
        if HAS_Z:
            z = z.to(tl.float32)

        dB = B[None, :] * dt[:, None] if not TIE_HDIM else B * dt
        state = state * dA + dB * x[:, None]

        if CACHE_INTERMEDIATE_STATES:
            if HAS_STATE_BATCH_INDICES:
                if state_batch_idx != pad_slot_id:
                    cache_ptr_base = (
                        intermediate_states_buffer
                        + cache_idx * cache_steps * nheads * dim * dstate
                        + current_step_idx * nheads * dim * dstate
                        + pid_h * dim * dstate
                    )
                    cache_ptrs = cache_ptr_base + (
                        offs_m[:, None] * dstate + offs_n[None, :]
                    )
                    tl.store(
                        cache_ptrs, state.to(cache_ptrs.dtype.element_ty), mask=mask
                    )

        out = tl.sum(state * C[None, :], axis=1)
        if HAS_D:
            out += x * D
        if HAS_Z:
            out *= z * tl.sigmoid(z)
        tl.store(out_ptrs, out, mask=mask_m)

        current_step_idx += 1
        out_ptrs += stride_out_T

    if not DISABLE_STATE_UPDATE:
        if USE_RS_ROUNDING:
            rand_seed = tl.load(rand_seed_ptr)
            if HAS_STATE_BATCH_INDICES:
                rand_offsets = (
                    state_batch_idx * stride_state_batch + pid_h * stride_state_head
                )
            else:
                rand_offsets = pid_b * stride_state_batch + pid_h * stride_state_head
            rand_offsets += (
                offs_m[:, None] * stride_state_dim
                + offs_n[None, :] * stride_state_dstate
            )
            if PHILOX_ROUNDS > 0:
                rand = tl.randint(rand_seed, rand_offsets, PHILOX_ROUNDS)
            else:
                rand = tl.randint(rand_seed, rand_offsets)
            state_to_store = convert_rs_fp16x2(state, rand)
            tl.static_assert(state_to_store.dtype == tl.float16, "state must be fp16")
            tl.static_assert(
                state_ptrs.dtype.element_ty == tl.float16,
                "Stochastic rounding only supports fp16 state stores",
            )
        else:
            state_to_store = state.to(state_ptrs.dtype.element_ty)
        tl.store(state_ptrs, state_to_store, mask=mask)

    if USE_GDC:
        tl.extra.cuda.gdc_launch_dependents()
# endregion


# The harness's own: no guess fits: AttributeError: 'NoneType' object has no attribute 'dim' (kernel.py line 446)
def launch_selective_scan_update_kernel(
    state_ptr,
    x_ptr,
    dt_ptr,
    dt_bias_ptr,
    A_ptr,
    B_ptr,
    C_ptr,
    D_ptr,
    z_ptr,
    out_ptr,
    state_batch_indices_ptr,
    pad_slot_id,
    intermediate_states_buffer,
    cache_steps,
    retrieve_parent_token_ptr,
    intermediate_state_indices_ptr,
    rand_seed_ptr,
    batch,
    T,
    nheads,
    dim,
    dstate,
    nheads_ngroups_ratio,
    stride_state_batch,
    stride_state_head,
    stride_state_dim,
    stride_state_dstate,
    stride_x_batch,
    stride_x_T,
    stride_x_head,
    stride_x_dim,
    stride_dt_batch,
    stride_dt_T,
    stride_dt_head,
    stride_dt_dim,
    stride_dt_bias_head,
    stride_dt_bias_dim,
    stride_A_head,
    stride_A_dim,
    stride_A_dstate,
    stride_B_batch,
    stride_B_T,
    stride_B_group,
    stride_B_dstate,
    stride_C_batch,
    stride_C_T,
    stride_C_group,
    stride_C_dstate,
    stride_D_head,
    stride_D_dim,
    stride_z_batch,
    stride_z_T,
    stride_z_head,
    stride_z_dim,
    stride_out_batch,
    stride_out_T,
    stride_out_head,
    stride_out_dim,
    stride_retrieve_parent_token_batch,
    stride_retrieve_parent_token_T,
    DT_SOFTPLUS,
    TIE_HDIM,
    BLOCK_SIZE_M,
    DISABLE_STATE_UPDATE,
    USE_RS_ROUNDING,
    PHILOX_ROUNDS,
    USE_GDC=False,
    *,
    grid,
    num_warps=4,
    num_stages=3,
):
    """Launch `_selective_scan_update_kernel` on a grid of one to three dimensions."""
    _selective_scan_update_kernel[tuple(grid)](
        state_ptr=state_ptr,
        x_ptr=x_ptr,
        dt_ptr=dt_ptr,
        dt_bias_ptr=dt_bias_ptr,
        A_ptr=A_ptr,
        B_ptr=B_ptr,
        C_ptr=C_ptr,
        D_ptr=D_ptr,
        z_ptr=z_ptr,
        out_ptr=out_ptr,
        state_batch_indices_ptr=state_batch_indices_ptr,
        pad_slot_id=pad_slot_id,
        intermediate_states_buffer=intermediate_states_buffer,
        cache_steps=cache_steps,
        retrieve_parent_token_ptr=retrieve_parent_token_ptr,
        intermediate_state_indices_ptr=intermediate_state_indices_ptr,
        rand_seed_ptr=rand_seed_ptr,
        batch=batch,
        T=T,
        nheads=nheads,
        dim=dim,
        dstate=dstate,
        nheads_ngroups_ratio=nheads_ngroups_ratio,
        stride_state_batch=stride_state_batch,
        stride_state_head=stride_state_head,
        stride_state_dim=stride_state_dim,
        stride_state_dstate=stride_state_dstate,
        stride_x_batch=stride_x_batch,
        stride_x_T=stride_x_T,
        stride_x_head=stride_x_head,
        stride_x_dim=stride_x_dim,
        stride_dt_batch=stride_dt_batch,
        stride_dt_T=stride_dt_T,
        stride_dt_head=stride_dt_head,
        stride_dt_dim=stride_dt_dim,
        stride_dt_bias_head=stride_dt_bias_head,
        stride_dt_bias_dim=stride_dt_bias_dim,
        stride_A_head=stride_A_head,
        stride_A_dim=stride_A_dim,
        stride_A_dstate=stride_A_dstate,
        stride_B_batch=stride_B_batch,
        stride_B_T=stride_B_T,
        stride_B_group=stride_B_group,
        stride_B_dstate=stride_B_dstate,
        stride_C_batch=stride_C_batch,
        stride_C_T=stride_C_T,
        stride_C_group=stride_C_group,
        stride_C_dstate=stride_C_dstate,
        stride_D_head=stride_D_head,
        stride_D_dim=stride_D_dim,
        stride_z_batch=stride_z_batch,
        stride_z_T=stride_z_T,
        stride_z_head=stride_z_head,
        stride_z_dim=stride_z_dim,
        stride_out_batch=stride_out_batch,
        stride_out_T=stride_out_T,
        stride_out_head=stride_out_head,
        stride_out_dim=stride_out_dim,
        stride_retrieve_parent_token_batch=stride_retrieve_parent_token_batch,
        stride_retrieve_parent_token_T=stride_retrieve_parent_token_T,
        DT_SOFTPLUS=DT_SOFTPLUS,
        TIE_HDIM=TIE_HDIM,
        BLOCK_SIZE_M=BLOCK_SIZE_M,
        DISABLE_STATE_UPDATE=DISABLE_STATE_UPDATE,
        USE_RS_ROUNDING=USE_RS_ROUNDING,
        PHILOX_ROUNDS=PHILOX_ROUNDS,
        USE_GDC=USE_GDC,
        num_warps=num_warps,
        num_stages=num_stages,
    )
