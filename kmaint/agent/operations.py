"""Which operation a kernel is, coarse enough that kernels of two frameworks meet: told by the words of its id."""

from __future__ import annotations

import re

OPERATIONS: tuple[tuple[str, str], ...] = (
    ("state merge", r"merge_(attn_)?state|splitk_reduce|reduce_segments"),
    ("cache write", r"reshape_and_cache|(set|store|write|concat)_\w*(kv|mla|cache|k_and_s)"),
    ("rotary", r"rotary|rope"),
    ("norm", r"norm"),
    ("MoE", r"moe|expert|router"),
    ("quantisation", r"quant|fp8|int8|fp4"),
    ("activation", r"silu|gelu|act_and_mul|softcap|swiglu|sigmoid|activation|relu"),
    ("sampling", r"sampl|top_?k|top_?p|min_p|penalt|gumbel|softmax|logits|logprob|rejection"),
    ("state space", r"mamba|ssm|ssd|gdn|kda|delta|cumsum|chunk|conv1d|linear_attn"),
    ("matmul", r"gemm|matmul|bmm|lora"),
    ("attention", r"att(entio)?n|decode|mla|flash"),
)
"""The first whose words the symbol has is it; then the first whose words the path has."""


def operation_of(kernel: str) -> str:
    """The operation of a kernel by its id, `path::symbol`; its bare symbol where no word says."""
    path, _, symbol = kernel.lower().rpartition("::")
    named = (name for text in (symbol, path) for name, words in OPERATIONS if re.search(words, text))
    return next(named, symbol.strip("_"))
