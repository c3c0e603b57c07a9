"""`_temperature_kernel` of vllm 0.26.0, standing alone."""

import torch
import triton
import triton.language as tl


# region vllm/v1/worker/gpu/sample/gumbel.py:17-40 _temperature_kernel
@triton.jit
def _temperature_kernel(
    logits_ptr,
    logits_stride,
    expanded_idx_mapping_ptr,
    temperature_ptr,
    vocab_size,
    BLOCK_SIZE: tl.constexpr,
):
    token_idx = tl.program_id(0).to(tl.int64)
    block = tl.program_id(1) * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)
    mask = block < vocab_size
    # The logits are on their way while the temperature is looked up.
    logits = tl.load(logits_ptr + token_idx * logits_stride + block, mask=mask)
    req_state_idx = tl.load(expanded_idx_mapping_ptr + token_idx)
    temperature = tl.load(temperature_ptr + req_state_idx).to(tl.float32)
    if temperature == 0.0 or temperature == 1.0:
        return

    logits = logits.to(tl.float32)
    logits = logits / temperature
    tl.store(logits_ptr + token_idx * logits_stride + block, logits, mask=mask)


@triton.jit
def _contiguous_temperature_kernel(
    logits_ptr,
    expanded_idx_mapping_ptr,
    temperature_ptr,
    num_tokens,
    vocab_size,
    VECTOR: tl.constexpr,
    VECTORS: tl.constexpr,
):
    """Scale logits whose rows follow each other without gaps.

    A program takes VECTORS vectors, no more than vocab_size elements and so of one
    or two rows, from where they are aligned, which the start of a row need not be.
    """
    num_elements = num_tokens * vocab_size
    start = tl.program_id(0) * (VECTORS * VECTOR)
    vector = start + tl.arange(0, VECTORS)[:, None] * VECTOR
    within = tl.arange(0, VECTOR)[None, :]
    # No mask within a vector: what is left of the last row comes at the end.
    mask = vector + VECTOR <= num_elements
    logits = tl.load(logits_ptr + vector + within, mask=mask)
    # Without it the loads above are scheduled behind those of the temperatures.
    tl.debug_barrier()

    token_idx = start // vocab_size
    row_end = (token_idx + 1) * vocab_size
    next_idx = tl.minimum(token_idx + 1, num_tokens - 1)
    req_state_idx = tl.load(expanded_idx_mapping_ptr + token_idx)
    next_state_idx = tl.load(expanded_idx_mapping_ptr + next_idx)
    temperature = tl.load(temperature_ptr + req_state_idx).to(tl.float32)
    next_temperature = tl.load(temperature_ptr + next_state_idx).to(tl.float32)
    if (temperature == 0.0 or temperature == 1.0) and (
        next_temperature == 0.0 or next_temperature == 1.0
    ):
        return

    scale, inverse = _scale_and_inverse(temperature)
    next_scale, next_inverse = _scale_and_inverse(next_temperature)
    is_next = within >= row_end - vector
    scaled = logits.to(tl.float32) * tl.where(is_next, next_scale, scale)
    scaled = scaled * tl.where(is_next, next_inverse, inverse)
    tl.store(logits_ptr + vector + within, scaled, mask=mask)

    if start + VECTORS * VECTOR >= num_elements:
        temperature = tl.where(row_end < num_elements, next_temperature, temperature)
        if temperature != 0.0 and temperature != 1.0:
            rest = num_elements // VECTOR * VECTOR + tl.arange(0, VECTOR)
            rest_mask = rest < num_elements
            last = tl.load(logits_ptr + rest, mask=rest_mask).to(tl.float32)
            tl.store(logits_ptr + rest, last / temperature, mask=rest_mask)


@triton.jit
def _scale_and_inverse(temperature):
    """Two factors that give the bits of a division by `temperature`, or of none.

    A division of float32 in Triton is a multiplication with an approximate inverse,
    of both sides scaled first where the divisor is very large or subnormal.
    """
    size = tl.abs(temperature)
    scale = tl.where(size > 8.507059173023462e37, 0.25, 1.0)  # 2^126
    scale = tl.where(size < 1.1754943508222875e-38, 16777216.0, scale)  # 2^-126, 2^24
    temperature = tl.where(temperature == 0.0, 1.0, temperature)
    scale = tl.where(temperature == 1.0, 1.0, scale)
    return scale, 1.0 / (temperature * scale)
# endregion


# region vllm/v1/worker/gpu/sample/gumbel.py:43-58 apply_temperature
def apply_temperature(
    logits: torch.Tensor,
    expanded_idx_mapping: torch.Tensor,
    temperature: torch.Tensor,
) -> None:
    num_tokens, vocab_size = logits.shape
    num_elements = num_tokens * vocab_size
    num_warps, vectors_each = 4, 2
    vector = 16 // logits.element_size()
    vectors = 32 * num_warps * vectors_each
    if (
        logits.stride(0) == vocab_size
        and vectors * vector <= vocab_size
        and num_elements < 2**31 - vectors * vector
    ):
        _contiguous_temperature_kernel[
            (triton.cdiv(num_elements, vectors * vector),)
        ](
            logits,
            expanded_idx_mapping,
            temperature,
            num_tokens,
            vocab_size,
            VECTOR=vector,
            VECTORS=vectors,
            num_warps=num_warps,
        )
        return
    block_size = min(2048, max(128, triton.next_power_of_2(vocab_size)))
    _temperature_kernel[(num_tokens, triton.cdiv(vocab_size, block_size))](
        logits,
        logits.stride(0),
        expanded_idx_mapping,
        temperature,
        vocab_size,
        BLOCK_SIZE=block_size,
        num_warps=min(4, block_size // 64),
    )
# endregion
