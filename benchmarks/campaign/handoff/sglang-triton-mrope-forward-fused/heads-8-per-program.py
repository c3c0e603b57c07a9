"""`_triton_mrope_forward_fused` of sglang 0.5.17, standing alone."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from typing import List


# region sglang/kernels/ops/attention/rotary_triton.py:12-108 _triton_mrope_forward_fused
@triton.jit
def _triton_mrope_forward_fused(
    q_ptr,
    k_ptr,
    cos_sin_cache_ptr,
    positions_ptr,
    q_stride,
    k_stride,
    positions_stride,
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
    is_interleaved_glm: tl.constexpr,
    is_neox_style: tl.constexpr,
    axis_map_ptr,
    HEADS_PER_PROGRAM: tl.constexpr,
):
    # A program takes a few heads of one token, of the queries or of the keys: few tokens
    # then occupy the whole device, and many end without a long last wave.
    Q_PARTS: tl.constexpr = (n_qh + HEADS_PER_PROGRAM - 1) // HEADS_PER_PROGRAM
    K_PARTS: tl.constexpr = (n_kh + HEADS_PER_PROGRAM - 1) // HEADS_PER_PROGRAM
    pid = tl.program_id(0) // (Q_PARTS + K_PARTS)
    part = tl.program_id(0) % (Q_PARTS + K_PARTS)
    if part < Q_PARTS:
        x_ptr = q_ptr + pid * q_stride + part * (HEADS_PER_PROGRAM * hd)
        heads = n_qh - part * HEADS_PER_PROGRAM
    else:
        x_ptr = k_ptr + pid * k_stride + (part - Q_PARTS) * (HEADS_PER_PROGRAM * hd)
        heads = n_kh - (part - Q_PARTS) * HEADS_PER_PROGRAM

    half_rd: tl.constexpr = rd // 2
    head = tl.arange(0, HEADS_PER_PROGRAM)[:, None]
    if is_neox_style:
        first = head * hd + tl.arange(0, pad_hd // 2)[None, :]
        second = first + half_rd
    else:
        first = head * hd + 2 * tl.arange(0, pad_hd // 2)[None, :]
        second = first + 1
    mask = (head < heads) & (tl.arange(0, pad_hd // 2)[None, :] < half_rd)

    # The heads do not depend on the positions: asked for first, they arrive while the
    # positions, and then the cosines, are on their way.
    x1 = tl.load(x_ptr + first, mask=mask, other=0)
    x2 = tl.load(x_ptr + second, mask=mask, other=0)

    t = tl.load(positions_ptr + 0 * positions_stride + pid)
    h = tl.load(positions_ptr + 1 * positions_stride + pid)
    w = tl.load(positions_ptr + 2 * positions_stride + pid)
    # Every lane belongs to one axis: its position is chosen first, so that one cosine and
    # one sine are read for it, not three of each.
    cos_offsets = tl.arange(0, pad_hd // 2)
    cos_mask = cos_offsets < half_rd
    if is_interleaved:
        if is_interleaved_glm:
            axes = tl.load(axis_map_ptr + cos_offsets, mask=cos_mask, other=-1)
            h_mask = axes == 1
            w_mask = axes == 2
            cos_mask = cos_mask & (axes >= 0) & (axes <= 2)
        else:
            h_mask = ((cos_offsets % 3) == 1) & (cos_offsets <= 3 * mrope_section_h)
            w_mask = ((cos_offsets % 3) == 2) & (cos_offsets <= 3 * mrope_section_w)
    else:
        t_end = mrope_section_t
        h_end = t_end + mrope_section_h
        h_mask = (t_end <= cos_offsets) & (cos_offsets < h_end)
        w_mask = h_end <= cos_offsets
    position = tl.where(h_mask, h, tl.where(w_mask, w, t))
    cos_ptrs = cos_sin_cache_ptr + position * rd + cos_offsets
    cos_row = tl.load(cos_ptrs, mask=cos_mask, other=0)
    sin_row = tl.load(cos_ptrs + half_rd, mask=cos_mask, other=0)

    x1 = x1.to(sin_row.dtype)
    x2 = x2.to(sin_row.dtype)
    tl.store(x_ptr + first, x1 * cos_row - x2 * sin_row, mask=mask)
    tl.store(x_ptr + second, x2 * cos_row + x1 * sin_row, mask=mask)
# endregion


# region sglang/kernels/ops/attention/rotary_triton.py:111-153 triton_mrope_fused
def triton_mrope_fused(
    q: torch.Tensor,
    k: torch.Tensor,
    cos_sin_cache: torch.Tensor,
    positions: torch.Tensor,
    mrope_section: List[int],
    head_size: int,
    rotary_dim: int,
    mrope_interleaved: bool,
    mrope_interleaved_glm: bool,
    is_neox_style: bool,
    axis_map: torch.Tensor,
) -> None:
    num_tokens, n_q_dim = q.shape
    n_k_dim = k.shape[1]
    n_qh = n_q_dim // head_size
    n_kh = n_k_dim // head_size
    pad_n_qh = triton.next_power_of_2(n_qh)
    pad_n_kh = triton.next_power_of_2(n_kh)
    pad_hd = triton.next_power_of_2(head_size)
    heads_per_program = min(8, max(pad_n_qh, pad_n_kh))
    parts = triton.cdiv(n_qh, heads_per_program) + triton.cdiv(n_kh, heads_per_program)
    _triton_mrope_forward_fused[(num_tokens * parts,)](
        q,
        k,
        cos_sin_cache,
        positions,
        q.stride(0),
        k.stride(0),
        positions.stride(0),
        n_qh,
        n_kh,
        head_size,
        rotary_dim,
        pad_n_qh,
        pad_n_kh,
        pad_hd,
        mrope_section[0],
        mrope_section[1],
        mrope_section[2],
        mrope_interleaved,
        mrope_interleaved_glm,
        is_neox_style,
        axis_map,
        heads_per_program,
        num_warps=2,
    )
# endregion
