"""The catalogue of stand-ins: framework symbols that a slice may replace, what replaces each, and why it may.

There is no catch-all: a symbol that is not listed here is sliced, or stops the extraction. The stand-ins answer as the
framework does on one CUDA device; on a machine without CUDA they answer for a Hopper (sm_90).
"""

from __future__ import annotations

from extract.slicing.shims.common import OTHERS, PRELUDE, PROVIDE, TORCH_SHIMS
from extract.slicing.shims.sglang import SGLANG
from extract.slicing.shims.shim import Shim
from extract.slicing.shims.vllm import REAL, VLLM

__all__ = ["PRELUDE", "PROVIDE", "REAL", "SHIMS", "TORCH_SHIMS", "Shim"]

SHIMS: dict[str, Shim] = {shim.symbol: shim for shim in (*SGLANG, *VLLM, *OTHERS)}
"""By the dotted name of the module that defines the symbol."""
