"""Mends Triton's interpreter where it computes something else than a GPU does, before a kernel is loaded.

Copied unchanged into every harness. Does nothing where kernels are compiled.
"""

from __future__ import annotations

import functools
import os


@functools.cache
def mend() -> None:
    """Make tl.dot read bfloat16 as numbers: the interpreter (3.6.0 to 3.7.1) multiplies their bit patterns."""
    if os.environ.get("TRITON_INTERPRET") != "1":
        return
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
