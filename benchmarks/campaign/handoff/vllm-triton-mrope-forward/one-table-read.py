"""`_triton_mrope_forward` of vllm 0.26.0, standing alone."""

import triton
import triton.language as tl


# region vllm/model_executor/layers/rotary_embedding/mrope.py:14-130 _triton_mrope_forward
@triton.jit
def _triton_mrope_forward(
    q_ptr,
    k_ptr,
    cos,
    sin,
    num_tokens,
    n_qh: tl.constexpr,
    n_kh: tl.constexpr,
    hd: tl.constexpr,
    rd: tl.constexpr,
    pad_n_qh: tl.constexpr,
    pad_n_kh: tl.constexpr,
    pad_hd: tl.constexpr,
    mrope_section_t: tl.constexpr,
    mrope_section_h: tl.constexpr,
    mrope_section_w: tl.constexpr,
    is_interleaved: tl.constexpr,
):
    # Adapted from
    # https://github.com/linkedin/Liger-Kernel/blob/main/src/liger_kernel/ops/qwen2vl_mrope.py
    # This version supports flatten input tensors from vllm
    # and supports cos and sin cache with shape (3, num_tokens, head_dim // 2)
    # instead of (3, bsz, seq_len, head_dim), also supports interleaved rotary
    pid = tl.program_id(0)
    # locate start address
    q_ptr = q_ptr + pid * (n_qh * hd)
    k_ptr = k_ptr + pid * (n_kh * hd)

    half_rd: tl.constexpr = rd // 2
    offsets = tl.arange(0, pad_hd // 2)
    q_head = tl.arange(0, pad_n_qh)[:, None]
    k_head = tl.arange(0, pad_n_kh)[:, None]
    q_offsets = q_head * hd + offsets[None, :]
    k_offsets = k_head * hd + offsets[None, :]
    q_mask = (q_head < n_qh) & (offsets[None, :] < half_rd)
    k_mask = (k_head < n_kh) & (offsets[None, :] < half_rd)

    # Most bytes first: left and right half of the heads, then what turns them.
    q1 = tl.load(q_ptr + q_offsets, mask=q_mask, other=0)
    q2 = tl.load(q_ptr + q_offsets + half_rd, mask=q_mask, other=0)
    k1 = tl.load(k_ptr + k_offsets, mask=k_mask, other=0)
    k2 = tl.load(k_ptr + k_offsets + half_rd, mask=k_mask, other=0)

    # Every lane belongs to one axis: one cosine and one sine are read for it, of its axis's
    # row, not three of each.
    if is_interleaved:
        h_mask = ((offsets % 3) == 1) & (offsets <= 3 * mrope_section_h)
        w_mask = ((offsets % 3) == 2) & (offsets <= 3 * mrope_section_w)
        row_mask = offsets < half_rd
    else:
        t_end: tl.constexpr = mrope_section_t
        h_end: tl.constexpr = t_end + mrope_section_h
        h_mask = (t_end <= offsets) & (offsets < h_end)
        w_mask = h_end <= offsets
        row_mask = offsets < half_rd
    axis = tl.where(h_mask, 1, tl.where(w_mask, 2, 0))
    row_offsets = (axis * num_tokens + pid) * half_rd + offsets
    cos_row = tl.load(cos + row_offsets, mask=row_mask, other=0)[None, :]
    sin_row = tl.load(sin + row_offsets, mask=row_mask, other=0)[None, :]

    # y = [x1, x2] * [cos, cos] + [-x2, x1] * [sin, sin]
    q1 = q1.to(sin_row.dtype)
    q2 = q2.to(sin_row.dtype)
    k1 = k1.to(sin_row.dtype)
    k2 = k2.to(sin_row.dtype)
    tl.store(q_ptr + q_offsets, q1 * cos_row - q2 * sin_row, mask=q_mask)
    tl.store(q_ptr + q_offsets + half_rd, q2 * cos_row + q1 * sin_row, mask=q_mask)
    tl.store(k_ptr + k_offsets, k1 * cos_row - k2 * sin_row, mask=k_mask)
    tl.store(k_ptr + k_offsets + half_rd, k2 * cos_row + k1 * sin_row, mask=k_mask)
# endregion


# The harness's own: no guess fits: TypeError: 'NoneType' object is not subscriptable (kernel.py line 179)
def launch_triton_mrope_forward(
    q_ptr,
    k_ptr,
    cos,
    sin,
    num_tokens,
    n_qh,
    n_kh,
    hd,
    rd,
    pad_n_qh,
    pad_n_kh,
    pad_hd,
    mrope_section_t,
    mrope_section_h,
    mrope_section_w,
    is_interleaved,
    *,
    grid,
    num_warps=4,
    num_stages=3,
):
    """Launch `_triton_mrope_forward` on a grid of one to three dimensions."""
    _triton_mrope_forward[tuple(grid)](
        q_ptr=q_ptr,
        k_ptr=k_ptr,
        cos=cos,
        sin=sin,
        num_tokens=num_tokens,
        n_qh=n_qh,
        n_kh=n_kh,
        hd=hd,
        rd=rd,
        pad_n_qh=pad_n_qh,
        pad_n_kh=pad_n_kh,
        pad_hd=pad_hd,
        mrope_section_t=mrope_section_t,
        mrope_section_h=mrope_section_h,
        mrope_section_w=mrope_section_w,
        is_interleaved=is_interleaved,
        num_warps=num_warps,
        num_stages=num_stages,
    )
