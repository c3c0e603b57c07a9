"""Mends Triton's interpreter where it computes something else than a GPU does, before a kernel is loaded.

Copied unchanged into every harness. Does nothing where kernels are compiled.
"""

from __future__ import annotations

import functools
import os


@functools.cache
def mend() -> None:
    """Everything below; each holds for Triton 3.6.0 to 3.7.1."""
    if os.environ.get("TRITON_INTERPRET") == "1":
        _mend_dot()
        _mend_constants()
        _mend_autotuning()


def _mend_dot() -> None:
    """Make tl.dot read bfloat16 as numbers: the interpreter multiplies their bit patterns."""
    import triton.language as tl
    from triton.runtime import interpreter

    builder, convert = interpreter.InterpreterBuilder, interpreter._convert_float  # noqa: SLF001 - no public hook
    original = builder.create_dot

    def widened(handle: interpreter.TensorHandle) -> interpreter.TensorHandle:
        if handle.dtype.scalar != tl.bfloat16:
            return handle
        data = convert(handle.data, tl.bfloat16, tl.float32, None).view("float32").reshape(handle.data.shape)
        return interpreter.TensorHandle(data, tl.float32)

    def create_dot(self, a, b, d, *rest):  # type: ignore[no-untyped-def]
        return original(self, widened(a), widened(b), d, *rest)

    builder.create_dot = create_dot


def _mend_constants() -> None:
    """Let a number stand beside a bfloat16 tensor: the interpreter looks for a constant of a name that it lacks."""
    import numpy as np
    import triton.language as tl
    from triton.runtime import interpreter

    def get_bf16(_self: object, value: float) -> interpreter.TensorHandle:
        bits = np.array([value], dtype=np.float32).view(np.uint32)
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16  # to nearest, ties to even
        return interpreter.TensorHandle(rounded.astype(np.uint16), tl.bfloat16)

    if not hasattr(interpreter.InterpreterBuilder, "get_bf16"):
        interpreter.InterpreterBuilder.get_bf16 = get_bf16


def _mend_autotuning() -> None:
    """Take the first configuration that is left after pruning: there is no time to measure without a GPU."""
    from triton.runtime.autotuner import Autotuner

    prune = Autotuner.prune_configs

    def first_only(self, kwargs):  # type: ignore[no-untyped-def]
        return prune(self, kwargs)[:1]

    def untimed(*_args: object, **_kwargs: object) -> list[float]:
        return [0.0, 0.0, 0.0]

    Autotuner.prune_configs, Autotuner._bench = first_only, untimed  # noqa: SLF001 - no public hook
