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

# endregion


# region vllm/v1/worker/gpu/sample/gumbel.py:43-58 apply_temperature
def apply_temperature(
    logits: torch.Tensor,
    expanded_idx_mapping: torch.Tensor,
    temperature: torch.Tensor,
) -> None:
    num_tokens, vocab_size = logits.shape
    block_size = min(1024, max(128, triton.next_power_of_2(vocab_size)))
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
