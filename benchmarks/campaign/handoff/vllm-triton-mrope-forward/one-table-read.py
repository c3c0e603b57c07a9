"""`_triton_mrope_forward` of vllm 0.26.0, standing alone."""

import torch
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


# region vllm/model_executor/layers/rotary_embedding/mrope.py:133-187 triton_mrope
def triton_mrope(
    q: torch.Tensor,
    k: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    mrope_section: list[int],
    head_size: int,
    rotary_dim: int,
    mrope_interleaved: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Qwen2VL mrope kernel.

    Args:
        q: [num_tokens, num_heads * head_size]
        k: [num_tokens, num_kv_heads * head_size]
        cos: [3, num_tokens, head_size //2 ]
            (T/H/W positions with multimodal inputs)
        sin: [3, num_tokens, head_size //2 ]
            (T/H/W positions with multimodal inputs)
        mrope_section: [t, h, w]
        head_size: int
    """
    n_row, n_q_head_head_dim = q.shape
    n_q_head = n_q_head_head_dim // head_size
    n_kv_head = k.shape[1] // head_size
    pad_hd = triton.next_power_of_2(head_size)
    pad_n_q_head = triton.next_power_of_2(n_q_head)
    pad_n_kv_head = triton.next_power_of_2(n_kv_head)

    # ensure tensors passed into the kernel are contiguous.
    # It will be no-op if they are already contiguous
    q = q.contiguous()
    k = k.contiguous()
    cos = cos.contiguous()
    sin = sin.contiguous()

    _triton_mrope_forward[(n_row,)](
        q,
        k,
        cos,
        sin,
        n_row,
        n_q_head,
        n_kv_head,
        head_size,
        rotary_dim,
        pad_n_q_head,
        pad_n_kv_head,
        pad_hd,
        mrope_section[0],
        mrope_section[1],
        mrope_section[2],
        mrope_interleaved,
    )
    return q, k
# endregion
