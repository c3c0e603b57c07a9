"""`_triton_mrope_forward` of vllm 0.26.0, standing alone."""

import triton
import triton.language as tl


# region vllm/model_executor/layers/rotary_embedding/mrope.py:14-130 _triton_mrope_forward
# A program takes a few heads of one token, of the queries or of the keys, so few tokens occupy
# the whole device and many end without a long last wave. The caller asks for a program a token.
@triton.heuristics(
    {
        "HEADS": lambda args: min(8, max(args["pad_n_qh"], args["pad_n_kh"])),
        "num_warps": lambda args: max(
            1, min(4, args["HEADS"] * args["pad_hd"] // 512)
        ),
        "grid": lambda args: (
            args["num_tokens"],
            triton.cdiv(args["n_qh"], args["HEADS"])
            + triton.cdiv(args["n_kh"], args["HEADS"]),
        ),
    }
)
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
    HEADS: tl.constexpr,
):
    # Adapted from
    # https://github.com/linkedin/Liger-Kernel/blob/main/src/liger_kernel/ops/qwen2vl_mrope.py
    # This version supports flatten input tensors from vllm
    # and supports cos and sin cache with shape (3, num_tokens, head_dim // 2)
    # instead of (3, bsz, seq_len, head_dim), also supports interleaved rotary
    pid = tl.program_id(0)
    part = tl.program_id(1)
    Q_PARTS: tl.constexpr = (n_qh + HEADS - 1) // HEADS
    # locate start address
    if part < Q_PARTS:
        x_ptr = q_ptr + pid * (n_qh * hd) + part * (HEADS * hd)
        heads = n_qh - part * HEADS
    else:
        x_ptr = k_ptr + pid * (n_kh * hd) + (part - Q_PARTS) * (HEADS * hd)
        heads = n_kh - (part - Q_PARTS) * HEADS

    half_rd: tl.constexpr = rd // 2
    offsets = tl.arange(0, pad_hd // 2)
    head = tl.arange(0, HEADS)[:, None]
    x_offsets = head * hd + offsets[None, :]
    mask = (head < heads) & (offsets[None, :] < half_rd)

    # left and right half of the heads
    x1 = tl.load(x_ptr + x_offsets, mask=mask, other=0)
    x2 = tl.load(x_ptr + x_offsets + half_rd, mask=mask, other=0)

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
    x1 = x1.to(sin_row.dtype)
    x2 = x2.to(sin_row.dtype)
    tl.store(x_ptr + x_offsets, x1 * cos_row - x2 * sin_row, mask=mask)
    tl.store(x_ptr + x_offsets + half_rd, x2 * cos_row + x1 * sin_row, mask=mask)
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
