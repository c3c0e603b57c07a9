"""Operations: kernels of both frameworks that do the same meet under one word."""

from __future__ import annotations

import pytest

from kmaint.agent.operations import operation_of


@pytest.mark.parametrize(
    ("kernel", "operation"),
    [
        ("sglang/kernels/ops/attention/merge_state.py::merge_state_kernel", "state merge"),
        ("vllm/v1/attention/ops/triton_merge_attn_states.py::merge_attn_states_kernel", "state merge"),
        ("sglang/kernels/ops/kvcache/cache_ops.py::reshape_and_cache_flash", "cache write"),
        ("sglang/kernels/ops/attention/rotary_triton.py::_triton_mrope_forward_fused", "rotary"),
        ("sglang/kernels/ops/elementwise/elementwise.py::fused_rmsnorm_kernel", "norm"),
        ("sglang/kernels/ops/elementwise/elementwise.py::silu_and_mul_kernel", "activation"),
        ("sglang/kernels/ops/quantization/fp8_kernel.py::_per_token_group_quant_8bit", "quantisation"),
        ("vllm/v1/attention/ops/triton_unified_attention.py::kernel_unified_attention", "attention"),
        ("sglang/kernels/ops/moe/moe_sum_reduce.py::_moe_sum_reduce_kernel", "MoE"),
        ("somewhere/mamba/ops/scan.py::_kernel", "state space"),
        ("a/b.py::_unheard_of", "unheard_of"),
    ],
)
def test_the_symbol_says_it_else_the_path(kernel: str, operation: str) -> None:
    assert operation_of(kernel) == operation
