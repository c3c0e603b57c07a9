"""`_min_p_kernel` of vllm 0.26.0, standing alone."""

import torch
import triton
import triton.language as tl


# region vllm/v1/worker/gpu/sample/min_p.py:8-45 _min_p_kernel
@triton.jit
def _min_p_kernel(
    logits_ptr,
    logits_stride,
    expanded_idx_mapping_ptr,
    min_p_ptr,
    vocab_size,
    BLOCK_SIZE: tl.constexpr,
):
    token_idx = tl.program_id(0).to(tl.int64)
    req_state_idx = tl.load(expanded_idx_mapping_ptr + token_idx)
    min_p = tl.load(min_p_ptr + req_state_idx).to(tl.float32)
    if min_p == 0.0:
        return

    # The whole row at once: it is read only here.
    row_ptr = logits_ptr + token_idx * logits_stride
    block = tl.arange(0, BLOCK_SIZE)
    mask = block < vocab_size
    logits = tl.load(row_ptr + block, mask=mask, other=float("-inf"))
    max_val = tl.max(logits).to(tl.float32)

    threshold = max_val + tl.log(min_p)
    logits = tl.where(logits < threshold, float("-inf"), logits)
    tl.store(row_ptr + block, logits, mask=mask)


@triton.jit
def _min_p_max_kernel(
    max_ptr,
    logits_ptr,
    logits_stride,
    expanded_idx_mapping_ptr,
    min_p_ptr,
    vocab_size,
    num_parts,
    BLOCK_SIZE: tl.constexpr,
    LOGITS_FIRST: tl.constexpr,
):
    token_idx = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    row_ptr = logits_ptr + token_idx * logits_stride
    block = part * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)
    mask = block < vocab_size
    if LOGITS_FIRST:
        logits = tl.load(row_ptr + block, mask=mask, other=float("-inf"))
        # Without it the loads above are scheduled behind those of min_p.
        tl.debug_barrier()
    req_state_idx = tl.load(expanded_idx_mapping_ptr + token_idx)
    min_p = tl.load(min_p_ptr + req_state_idx).to(tl.float32)
    if min_p == 0.0:
        return

    if not LOGITS_FIRST:
        logits = tl.load(row_ptr + block, mask=mask, other=float("-inf"))
    max_val = tl.max(logits).to(tl.float32)
    tl.store(max_ptr + token_idx * num_parts + part, max_val)


@triton.jit
def _min_p_of_parts_kernel(
    logits_ptr,
    logits_stride,
    max_ptr,
    expanded_idx_mapping_ptr,
    min_p_ptr,
    num_tokens,
    vocab_size,
    num_parts,
    BLOCK_SIZE: tl.constexpr,
    PARTS_BLOCK: tl.constexpr,
    LOGITS_FIRST: tl.constexpr,
):
    # Backwards: what was read last is likely to be in the cache still.
    token_idx = (num_tokens - 1 - tl.program_id(0)).to(tl.int64)
    part = num_parts - 1 - tl.program_id(1)
    row_ptr = logits_ptr + token_idx * logits_stride
    block = part * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)
    mask = block < vocab_size
    parts = tl.arange(0, PARTS_BLOCK)
    parts_ptr = max_ptr + token_idx * num_parts + parts
    if LOGITS_FIRST:
        logits = tl.load(row_ptr + block, mask=mask, other=float("-inf"))
        # Not set where min_p is 0, and not looked at there.
        max_vals = tl.load(parts_ptr, mask=parts < num_parts, other=float("-inf"))
        tl.debug_barrier()
    req_state_idx = tl.load(expanded_idx_mapping_ptr + token_idx)
    min_p = tl.load(min_p_ptr + req_state_idx).to(tl.float32)
    if min_p == 0.0:
        return

    if not LOGITS_FIRST:
        logits = tl.load(row_ptr + block, mask=mask, other=float("-inf"))
        max_vals = tl.load(parts_ptr, mask=parts < num_parts, other=float("-inf"))
    threshold = tl.max(max_vals) + tl.log(min_p)
    logits = tl.where(logits < threshold, float("-inf"), logits)
    tl.store(row_ptr + block, logits, mask=mask)
# endregion


# region vllm/v1/worker/gpu/sample/min_p.py:48-60 apply_min_p
def apply_min_p(
    logits: torch.Tensor, expanded_idx_mapping: torch.Tensor, min_p: torch.Tensor
) -> None:
    num_tokens, vocab_size = logits.shape
    if vocab_size <= 8192:
        BLOCK_SIZE = triton.next_power_of_2(vocab_size)
        _min_p_kernel[(num_tokens,)](
            logits,
            logits.stride(0),
            expanded_idx_mapping,
            min_p,
            vocab_size,
            BLOCK_SIZE=BLOCK_SIZE,
            num_warps=max(1, BLOCK_SIZE // 512),
        )
        return

    # Wider rows by a program for each part of them.
    BLOCK_SIZE = 4096
    num_parts = triton.cdiv(vocab_size, BLOCK_SIZE)
    max_vals = logits.new_empty((num_tokens, num_parts), dtype=torch.float32)
    # Rows that min_p leaves alone are read in vain: only where there are few.
    logits_first = num_tokens <= 16
    _min_p_max_kernel[(num_tokens, num_parts)](
        max_vals,
        logits,
        logits.stride(0),
        expanded_idx_mapping,
        min_p,
        vocab_size,
        num_parts,
        BLOCK_SIZE=BLOCK_SIZE,
        LOGITS_FIRST=logits_first,
        num_warps=4,
    )
    _min_p_of_parts_kernel[(num_tokens, num_parts)](
        logits,
        logits.stride(0),
        max_vals,
        expanded_idx_mapping,
        min_p,
        num_tokens,
        vocab_size,
        num_parts,
        BLOCK_SIZE=BLOCK_SIZE,
        PARTS_BLOCK=triton.next_power_of_2(num_parts),
        LOGITS_FIRST=logits_first,
        num_warps=4,
    )
# endregion
