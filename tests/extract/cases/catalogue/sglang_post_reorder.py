# Functions of SGLang 0.5.17, Apache-2.0, verbatim: sglang/kernels/ops/moe/inkling_moe.py
import torch
import triton
import triton.language as tl


DEFAULT_BLOCK_SIZE = 4096


@triton.jit
def _post_reorder_kernel(
    down_output_ptr,
    output_ptr,
    src2dst_ptr,
    topk_weights_ptr,
    TOP_K: tl.constexpr,
    hidden_size,
    BLOCK_SIZE: tl.constexpr,
):
    src_idx = tl.program_id(0).to(tl.int64)
    src2dst_ptr = src2dst_ptr + src_idx * TOP_K
    topk_weights_ptr = topk_weights_ptr + src_idx * TOP_K

    store_ptr = output_ptr + src_idx * hidden_size
    for start_offset in tl.range(0, hidden_size, BLOCK_SIZE):
        offset = start_offset + tl.arange(0, BLOCK_SIZE)
        mask = offset < hidden_size

        sum_vec = tl.zeros([BLOCK_SIZE], dtype=tl.float32)
        for idx in tl.static_range(TOP_K):
            dst_idx = tl.load(src2dst_ptr + idx).to(tl.int64)
            weight_scale = tl.load(topk_weights_ptr + idx).to(tl.float32)
            load_ptr = down_output_ptr + dst_idx * hidden_size
            in_data = tl.load(load_ptr + offset, mask=mask)
            sum_vec += in_data * weight_scale
        tl.store(store_ptr + offset, sum_vec, mask=mask)


def post_reorder(
    down_output: torch.Tensor, src2dst: torch.Tensor, topk_weights: torch.Tensor
):
    assert down_output.is_contiguous()
    assert src2dst.is_contiguous()
    assert topk_weights.is_contiguous()

    # Constants
    batch_size = topk_weights.shape[0]
    hidden_size = down_output.shape[1]
    TOP_K = topk_weights.shape[1]

    # Output tensor
    output = torch.empty(
        batch_size, hidden_size, device=down_output.device, dtype=down_output.dtype
    )

    # Launch kernel
    grid = (batch_size,)
    _post_reorder_kernel[grid](
        down_output,
        output,
        src2dst,
        topk_weights,
        TOP_K=TOP_K,
        hidden_size=hidden_size,
        BLOCK_SIZE=DEFAULT_BLOCK_SIZE,
    )
    return output
