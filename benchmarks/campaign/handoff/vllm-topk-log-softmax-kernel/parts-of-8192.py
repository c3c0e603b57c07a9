"""`_topk_log_softmax_kernel` of vllm 0.26.0, standing alone."""

import torch
import triton
import triton.language as tl


# region vllm/v1/worker/gpu/sample/logprob.py:12-13 _MAX_TOPK_BLOCK
# Upper bound on the topk kernel's per-iteration gather width.
_MAX_TOPK_BLOCK = 1024
# endregion


# region vllm/v1/worker/gpu/sample/logprob.py:16-57 _topk_log_softmax_kernel
@triton.jit
def _topk_log_softmax_kernel(
    output_ptr,
    logits_ptr,
    logits_stride,
    topk_ids_ptr,
    topk,
    vocab_size,
    BLOCK_SIZE: tl.constexpr,
    NUM_PIECES: tl.constexpr,
    TOPK_BLOCK_SIZE: tl.constexpr,
):
    req_idx = tl.program_id(0).to(tl.int64)
    row_ptr = logits_ptr + req_idx * logits_stride

    # The whole row at once, in pieces: it is read from memory only here.
    pieces = ()
    row_max = tl.full([BLOCK_SIZE], float("-inf"), tl.float32)
    for i in tl.static_range(NUM_PIECES):
        block = i * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)
        logits = tl.load(row_ptr + block, mask=block < vocab_size, other=float("-inf"))
        # NOTE(woosuk): Make sure that logits and all following operations use FP32.
        logits = logits.to(tl.float32)
        row_max = tl.maximum(row_max, logits)
        pieces = pieces + (logits,)
    max_val = tl.max(row_max)

    se = tl.zeros([BLOCK_SIZE], dtype=tl.float32)
    for i in tl.static_range(NUM_PIECES):
        block = i * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)
        e = tl.exp(pieces[i] - max_val)
        se += tl.where(block < vocab_size, e, 0.0)
    lse = tl.log(tl.sum(se))

    _store_topk(
        output_ptr,
        row_ptr,
        topk_ids_ptr,
        topk,
        0,
        req_idx,
        max_val,
        lse,
        TOPK_BLOCK_SIZE,
    )


@triton.jit
def _store_topk(
    output_ptr,
    row_ptr,
    topk_ids_ptr,
    topk,
    start,
    req_idx,
    max_val,
    lse,
    TOPK_BLOCK_SIZE: tl.constexpr,
):
    for j in range(start, topk, TOPK_BLOCK_SIZE):
        k_offset = j + tl.arange(0, TOPK_BLOCK_SIZE)
        k_mask = k_offset < topk
        topk_ids = tl.load(
            topk_ids_ptr + req_idx * topk + k_offset, mask=k_mask, other=0
        )
        logits = tl.load(row_ptr + topk_ids, mask=k_mask)
        logits = logits.to(tl.float32)
        o = logits - max_val - lse
        tl.store(output_ptr + req_idx * topk + k_offset, o, mask=k_mask)


@triton.jit
def _log_softmax_parts_kernel(
    parts_ptr,
    logits_ptr,
    logits_stride,
    batch_size,
    num_parts,
    vocab_size,
    BLOCK_SIZE: tl.constexpr,
):
    """Maximum of a part of a row, and the sum of exp(logit - maximum)."""
    req_idx = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    row_ptr = logits_ptr + req_idx * logits_stride

    block = part * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)
    logits = tl.load(row_ptr + block, mask=block < vocab_size, other=float("-inf"))
    logits = logits.to(tl.float32)
    max_val = tl.max(logits)
    # A part of nothing but -inf adds 0, not exp(-inf + inf).
    e = tl.exp(logits - tl.where(max_val == float("-inf"), 0.0, max_val))
    e = tl.where(block < vocab_size, e, 0.0)
    tl.store(parts_ptr + req_idx * num_parts + part, max_val)
    tl.store(parts_ptr + (batch_size + req_idx) * num_parts + part, tl.sum(e))


@triton.jit
def _topk_log_softmax_of_parts_kernel(
    output_ptr,
    parts_ptr,
    logits_ptr,
    logits_stride,
    topk_ids_ptr,
    topk,
    batch_size,
    num_parts,
    PARTS_BLOCK: tl.constexpr,
    TOPK_BLOCK_SIZE: tl.constexpr,
):
    req_idx = tl.program_id(0).to(tl.int64)
    row_ptr = logits_ptr + req_idx * logits_stride

    # The first of them are on their way while the parts are put together.
    k_offset = tl.arange(0, TOPK_BLOCK_SIZE)
    k_mask = k_offset < topk
    topk_ids = tl.load(topk_ids_ptr + req_idx * topk + k_offset, mask=k_mask, other=0)
    logits = tl.load(row_ptr + topk_ids, mask=k_mask)

    part = tl.arange(0, PARTS_BLOCK)
    mask = part < num_parts
    max_ptr = parts_ptr + req_idx * num_parts
    se_ptr = parts_ptr + (batch_size + req_idx) * num_parts
    part_max = tl.load(max_ptr + part, mask=mask, other=float("-inf"))
    part_se = tl.load(se_ptr + part, mask=mask, other=0.0)
    max_val = tl.max(part_max)
    lse = tl.log(tl.sum(part_se * tl.exp(part_max - max_val)))

    o = logits.to(tl.float32) - max_val - lse
    tl.store(output_ptr + req_idx * topk + k_offset, o, mask=k_mask)
    _store_topk(
        output_ptr,
        row_ptr,
        topk_ids_ptr,
        topk,
        TOPK_BLOCK_SIZE,
        req_idx,
        max_val,
        lse,
        TOPK_BLOCK_SIZE,
    )
# endregion


# region vllm/v1/worker/gpu/sample/logprob.py:83-106 compute_token_logprobs
def compute_token_logprobs(
    logits: torch.Tensor, token_ids: torch.Tensor
) -> torch.Tensor:
    # NOTE(woosuk): To save GPU memory, we do not materialize the full
    # [batch_size, vocab_size] logprobs tensor. The kernel computes
    # max + logsumexp per row and only emits logprobs at `token_ids`.
    batch_size, vocab_size = logits.shape
    token_ids = token_ids.to(torch.int64)
    num_logprobs = token_ids.shape[1]
    logprobs = logits.new_empty((batch_size, num_logprobs), dtype=torch.float32)
    # Cap the kernel's per-iteration width so very large num_logprobs requests
    # stream the gather in bounded-size chunks, avoiding excessive mem use.
    topk_block_size = min(triton.next_power_of_2(num_logprobs), _MAX_TOPK_BLOCK)
    # How a row is cut depends on its width alone, and so does the order of the sum.
    if vocab_size <= 16384:
        # At most 8 pieces, of 16 bytes a thread.
        block_size = max(256, triton.next_power_of_2(vocab_size) // 8)
        _topk_log_softmax_kernel[(batch_size,)](
            logprobs,
            logits,
            logits.stride(0),
            token_ids,
            num_logprobs,
            vocab_size,
            BLOCK_SIZE=block_size,  # type: ignore
            NUM_PIECES=triton.cdiv(vocab_size, block_size),
            TOPK_BLOCK_SIZE=topk_block_size,
            num_warps=max(1, min(16, block_size * logits.element_size() // 512)),
        )
        return logprobs
    block_size = 8192
    num_parts = triton.cdiv(vocab_size, block_size)
    parts = logits.new_empty((2, batch_size, num_parts), dtype=torch.float32)
    _log_softmax_parts_kernel[(batch_size, num_parts)](
        parts,
        logits,
        logits.stride(0),
        batch_size,
        num_parts,
        vocab_size,
        BLOCK_SIZE=block_size,  # type: ignore
        num_warps=block_size // 1024,
    )
    _topk_log_softmax_of_parts_kernel[(batch_size,)](
        logprobs,
        parts,
        logits,
        logits.stride(0),
        token_ids,
        num_logprobs,
        batch_size,
        num_parts,
        PARTS_BLOCK=triton.next_power_of_2(num_parts),
        TOPK_BLOCK_SIZE=topk_block_size,
        num_warps=max(1, min(4, topk_block_size // 64)),
    )
    return logprobs
# endregion
