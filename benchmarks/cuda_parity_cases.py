"""What cuda_parity.py calls: for each operator the arguments of one call at some number of rows.

Data about an experiment, not part of the product: kmaint itself knows no operator by name. Widths are those of
Llama 3 8B (hidden 4096, 32 query and 8 key heads of 128) and DeepSeek V3 (latent 512 + 64, 8 of 256 experts).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

ROWS = (1, 33, 2048)
HIDDEN, HEADS, KV_HEADS, HEAD = 4096, 32, 8, 128
EXPERTS, TOPK = 128, 8
SLOTS, BLOCK = 8192, 16
FP8, BF16, FP16, F32 = torch.float8_e4m3fn, torch.bfloat16, torch.float16, torch.float32


@dataclass(frozen=True)
class Call:
    """Positional and keyword arguments of one call."""

    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def copy(self) -> Call:
        """The same values in memory of their own."""
        return copy.deepcopy(self)


class Make:
    """Makes tensors of one device from one seed."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.generator = torch.Generator(device).manual_seed(20261121)

    def normal(self, *shape: int, dtype: torch.dtype = BF16) -> torch.Tensor:
        return torch.randn(*shape, generator=self.generator, device=self.device).to(dtype)

    def uniform(self, *shape: int, dtype: torch.dtype = F32) -> torch.Tensor:
        return (torch.rand(*shape, generator=self.generator, device=self.device) + 0.5).to(dtype)

    def below(self, bound: int, *shape: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
        return torch.randint(0, bound, shape, generator=self.generator, device=self.device).to(dtype)

    def distinct(self, bound: int, count: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
        return torch.randperm(bound, generator=self.generator, device=self.device)[:count].to(dtype)

    def zeros(self, *shape: int, dtype: torch.dtype = F32) -> torch.Tensor:
        return torch.zeros(*shape, dtype=dtype, device=self.device)


Case = Callable[[Make, int], tuple[Any, ...]]


def calls(framework: str, name: str, device: str) -> Iterator[tuple[str, Call]]:
    """Each workload of an operator: its name and its call."""
    for rows in ROWS[: 1 if name in DECODE_ONLY else None]:
        made = CASES[framework][name](Make(device), rows)
        options = made[-1] if isinstance(made[-1], dict) else {}
        yield f"rows={rows}", Call(made[:-1] if options else made, options)


def _gated(m: Make, rows: int) -> tuple[Any, ...]:
    return m.zeros(rows, HIDDEN, dtype=BF16), m.normal(rows, 2 * HIDDEN)


def _rotated(m: Make, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    return m.normal(rows, HEADS * HEAD), m.normal(rows, KV_HEADS * HEAD)


def _key_value(m: Make, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    return m.normal(rows, KV_HEADS, HEAD), m.normal(rows, KV_HEADS, HEAD)


def _scales(m: Make) -> tuple[torch.Tensor, torch.Tensor]:
    return m.uniform(1), m.uniform(1)


def _vllm_attention_states(m: Make, rows: int) -> tuple[Any, ...]:
    states = [(m.normal(rows, HEADS, HEAD), m.normal(HEADS, rows, dtype=F32)) for _ in range(2)]
    return m.zeros(rows, HEADS, HEAD, dtype=BF16), m.zeros(HEADS, rows), *states[0], *states[1], None


def _routed(m: Make, rows: int) -> tuple[Any, ...]:
    return (
        m.zeros(rows, TOPK),
        m.zeros(rows, TOPK, dtype=torch.int32),
        m.zeros(rows, TOPK, dtype=torch.int32),
        m.normal(rows, EXPERTS, dtype=F32),
        True,
        None,
    )


def _int4(m: Make, _rows: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    groups = HIDDEN // 128
    return (
        m.below(2**31, HIDDEN, HIDDEN // 8, dtype=torch.int32),
        m.normal(groups, HIDDEN, dtype=FP16),
        m.below(2**31, groups, HIDDEN // 8, dtype=torch.int32),
    )


VLLM: dict[str, Case] = {
    "silu_and_mul": _gated,
    "gelu_and_mul": _gated,
    "gelu_tanh_and_mul": _gated,
    "rms_norm": lambda m, n: (m.zeros(n, HIDDEN, dtype=BF16), m.normal(n, HIDDEN), m.normal(HIDDEN), 1e-6),
    "fused_add_rms_norm": lambda m, n: (m.normal(n, HIDDEN), m.normal(n, HIDDEN), m.normal(HIDDEN), 1e-6),
    "rms_norm_static_fp8_quant": lambda m, n: (
        m.zeros(n, HIDDEN, dtype=FP8),
        m.normal(n, HIDDEN),
        m.normal(HIDDEN),
        m.uniform(1),
        1e-6,
    ),
    "fused_add_rms_norm_static_fp8_quant": lambda m, n: (
        m.zeros(n, HIDDEN, dtype=FP8),
        m.normal(n, HIDDEN),
        m.normal(n, HIDDEN),
        m.normal(HIDDEN),
        m.uniform(1),
        1e-6,
    ),
    "rotary_embedding": lambda m, n: (m.below(SLOTS, n), *_rotated(m, n), HEAD, m.normal(SLOTS, HEAD), True),
    "fused_qk_norm_rope": lambda m, n: (
        m.normal(n, (HEADS + 2 * KV_HEADS) * HEAD),
        HEADS,
        KV_HEADS,
        KV_HEADS,
        HEAD,
        1e-6,
        m.normal(HEAD),
        m.normal(HEAD),
        m.normal(SLOTS, HEAD),
        True,
        m.below(SLOTS, n),
    ),
    "reshape_and_cache_flash": lambda m, n: (
        *_key_value(m, n),
        m.normal(SLOTS // BLOCK, BLOCK, KV_HEADS, HEAD),
        m.normal(SLOTS // BLOCK, BLOCK, KV_HEADS, HEAD),
        m.distinct(SLOTS, n),
        "auto",
        *_scales(m),
    ),
    "reshape_and_cache": lambda m, n: (
        *_key_value(m, n),
        m.normal(SLOTS // BLOCK, KV_HEADS, HEAD // 8, BLOCK, 8),
        m.normal(SLOTS // BLOCK, KV_HEADS, HEAD, BLOCK),
        m.distinct(SLOTS, n),
        "auto",
        *_scales(m),
    ),
    "concat_and_cache_mla": lambda m, n: (
        m.normal(n, 512),
        m.normal(n, 64),
        m.normal(SLOTS // BLOCK, BLOCK, 576),
        m.distinct(SLOTS, n),
        "auto",
        m.uniform(1),
    ),
    "static_scaled_fp8_quant": lambda m, n: (m.zeros(n, HIDDEN, dtype=FP8), m.normal(n, HIDDEN), m.uniform(1)),
    "dynamic_scaled_fp8_quant": lambda m, n: (m.zeros(n, HIDDEN, dtype=FP8), m.normal(n, HIDDEN), m.zeros(1)),
    "dynamic_per_token_scaled_fp8_quant": lambda m, n: (
        m.zeros(n, HIDDEN, dtype=FP8),
        m.normal(n, HIDDEN),
        m.zeros(n, 1),
        None,
    ),
    "per_token_group_fp8_quant": lambda m, n: (
        m.normal(n, HIDDEN),
        m.zeros(n, HIDDEN, dtype=FP8),
        m.zeros(n, HIDDEN // 128),
        128,
        1e-10,
        -448.0,
        448.0,
        False,
        False,
        False,
    ),
    "static_scaled_int8_quant": lambda m, n: (
        m.zeros(n, HIDDEN, dtype=torch.int8),
        m.normal(n, HIDDEN),
        m.uniform(1),
        None,
    ),
    "dynamic_scaled_int8_quant": lambda m, n: (
        m.zeros(n, HIDDEN, dtype=torch.int8),
        m.normal(n, HIDDEN),
        m.zeros(n, 1),
        None,
    ),
    "silu_and_mul_quant": lambda m, n: (m.zeros(n, HIDDEN, dtype=FP8), m.normal(n, 2 * HIDDEN), m.uniform(1)),
    "rms_norm_dynamic_per_token_quant": lambda m, n: (
        m.zeros(n, HIDDEN, dtype=FP8),
        m.normal(n, HIDDEN),
        m.normal(HIDDEN),
        m.zeros(n, 1),
        1e-6,
        None,
        None,
    ),
    "topk_softmax": _routed,
    "topk_sigmoid": lambda m, n: (*_routed(m, n), 1.0),
    "moe_sum": lambda m, n: (m.normal(n, TOPK, HIDDEN), m.zeros(n, HIDDEN, dtype=BF16)),
    "grouped_topk": lambda m, n: (m.normal(n, 256, dtype=F32), 8, 4, TOPK, True, 2.5, m.normal(256, dtype=F32), 1),
    "merge_attn_states": _vllm_attention_states,
    "apply_repetition_penalties_": lambda m, n: (
        m.normal(n, 32000, dtype=F32),
        m.below(2, n, 32000) == 1,
        m.below(2, n, 32000) == 1,
        m.uniform(n),
    ),
    "permute_cols": lambda m, n: (m.normal(n, HIDDEN, dtype=FP16), m.distinct(HIDDEN, HIDDEN, torch.int32)),
    "awq_dequantize": lambda m, n: (*_int4(m, n), 0, 0, 0),
}

NAMESPACES = {
    "reshape_and_cache_flash": "_C_cache_ops",
    "reshape_and_cache": "_C_cache_ops",
    "concat_and_cache_mla": "_C_cache_ops",
    "topk_softmax": "_moe_C",
    "topk_sigmoid": "_moe_C",
    "moe_sum": "_moe_C",
    "grouped_topk": "_moe_C",
}
"""Where vLLM registers those that are not in `_C`."""

SGLANG: dict[str, Case] = {
    "rmsnorm": lambda m, n: (m.normal(n, HIDDEN), m.normal(HIDDEN), m.zeros(n, HIDDEN, dtype=BF16)),
    "fused_add_rmsnorm": lambda m, n: (m.normal(n, HIDDEN), m.normal(n, HIDDEN), m.normal(HIDDEN)),
    "fused_inplace_qknorm": lambda m, n: (
        m.normal(n, HEADS, HEAD),
        m.normal(n, KV_HEADS, HEAD),
        m.normal(HEAD),
        m.normal(HEAD),
    ),
    "fused_inplace_qknorm_across_heads": lambda m, n: (
        m.normal(n, HIDDEN),
        m.normal(n, HIDDEN),
        m.normal(HIDDEN),
        m.normal(HIDDEN),
    ),
    "rmsnorm_hf": lambda m, n: (m.normal(n, HIDDEN), m.normal(HIDDEN)),
    "fused_eh_norm": lambda m, n: (m.normal(n, HIDDEN), m.normal(n, HIDDEN), m.normal(HIDDEN), m.normal(HIDDEN), 1e-6),
    "silu_and_mul": lambda m, n: (m.normal(n, 2 * HIDDEN),),
    "gelu_and_mul": lambda m, n: (m.normal(n, 2 * HIDDEN),),
    "gelu_tanh_and_mul": lambda m, n: (m.normal(n, 2 * HIDDEN),),
    "relu2": lambda m, n: (m.normal(n, HIDDEN),),
    "add3": lambda m, n: (m.normal(n, HIDDEN), m.normal(n, HIDDEN), m.normal(n, HIDDEN)),
    "add_constant": lambda m, n: (m.below(1000, n * HIDDEN, dtype=torch.int32), 3),
    "concat_mla_k": lambda m, n: (
        m.zeros(n, 128, 192, dtype=BF16),
        m.normal(n, 128, 128),
        m.normal(n, 1, 64),
    ),
    "concat_mla_absorb_q": lambda m, n: (m.normal(n, 128, 512), m.normal(n, 128, 64)),
    "per_tensor_quant_fp8": lambda m, n: (m.normal(n, HIDDEN), m.zeros(n, HIDDEN, dtype=FP8), m.zeros(1)),
    "per_tensor_absmax_fp8": lambda m, n: (m.normal(n, HIDDEN), m.zeros(1)),
    "per_token_group_quant": lambda m, n: (
        m.normal(n, HIDDEN),
        m.zeros(n, HIDDEN, dtype=FP8),
        m.zeros(n, HIDDEN // 128),
        128,
    ),
    "store_cache": lambda m, n: (
        m.normal(n, KV_HEADS * HEAD),
        m.normal(n, KV_HEADS * HEAD),
        m.normal(SLOTS, KV_HEADS * HEAD),
        m.normal(SLOTS, KV_HEADS * HEAD),
        m.distinct(SLOTS, n),
    ),
    "clamp_position_cuda": lambda m, n: (m.below(SLOTS, n),),
    "apply_rope_inplace": lambda m, n: (
        m.normal(n, HEADS, HEAD),
        m.normal(n, KV_HEADS, HEAD),
        m.normal(SLOTS, HEAD, dtype=F32),
        m.below(SLOTS, n),
        {"is_neox": True},
    ),
    "rotary_embedding": lambda m, n: (m.below(SLOTS, n), *_rotated(m, n), HEAD, m.normal(SLOTS, HEAD)),
    "moe_topk_sum": lambda m, n: (m.normal(n, TOPK, HIDDEN), m.zeros(n, HIDDEN, dtype=BF16)),
    "awq_dequantize": _int4,
    "set_mla_kv_buffer": lambda m, n: (m.normal(SLOTS, 576), m.distinct(SLOTS, n), m.normal(n, 512), m.normal(n, 64)),
    "timestep_embedding": lambda m, n: (m.uniform(n), 256),
    "topk_sigmoid": lambda m, n: (
        m.zeros(n, TOPK),
        m.zeros(n, TOPK, dtype=torch.int32),
        m.normal(n, EXPERTS, dtype=F32),
    ),
    "dsv3_router_gemm": lambda m, n: (m.normal(n, 7168), m.normal(256, 7168)),
}

MODULES = {
    "rmsnorm": "layernorm.norm",
    "fused_add_rmsnorm": "layernorm.norm",
    "fused_inplace_qknorm": "layernorm.norm",
    "fused_inplace_qknorm_across_heads": "layernorm.norm",
    "rmsnorm_hf": "layernorm.rmsnorm_hf",
    "fused_eh_norm": "layernorm.fused_eh_norm",
    "silu_and_mul": "activation.activation",
    "gelu_and_mul": "activation.activation",
    "gelu_tanh_and_mul": "activation.activation",
    "relu2": "activation.activation",
    "add3": "elementwise.add3",
    "add_constant": "elementwise.add_constant",
    "concat_mla_k": "attention.concat_mla",
    "concat_mla_absorb_q": "attention.concat_mla",
    "per_tensor_quant_fp8": "quantization.per_tensor_quant_fp8",
    "per_tensor_absmax_fp8": "quantization.per_tensor_quant_fp8",
    "per_token_group_quant": "quantization.per_token_group_quant",
    "store_cache": "kvcache.kvcache",
    "clamp_position_cuda": "attention.clamp_position",
    "apply_rope_inplace": "attention.rope",
    "rotary_embedding": "attention.rope",
    "moe_topk_sum": "moe.moe_topk_sum",
    "awq_dequantize": "quantization.awq_dequantize",
    "set_mla_kv_buffer": "kvcache.set_mla_kv_buffer",
    "timestep_embedding": "diffusion.timestep_embedding",
    "topk_sigmoid": "moe.moe_topk_sigmoid",
    "dsv3_router_gemm": "gemm.dsv3_router_gemm",
}
"""SGLang's module of each operator, below sglang.kernels.ops."""

DECODE_ONLY = frozenset({"dsv3_router_gemm"})
"""Made for a few rows: only the first number of rows is tried."""

CASES = {"sglang": SGLANG, "vllm": VLLM}
