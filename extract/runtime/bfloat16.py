"""bfloat16 under Triton's interpreter, which stores its bits as whole numbers and computes with these.

Copied unchanged into every harness. It imports numpy and triton only where it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def mend_bfloat16() -> None:
    """Take bfloat16 for numbers, rounded after each operation: the interpreter takes their bit patterns."""
    import numpy as np
    import triton.language as tl
    from triton.runtime import interpreter

    builder, reductions = interpreter.InterpreterBuilder, interpreter.ReduceOps
    of_bits = {np.where, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift, np.right_shift}
    comparing = {np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal}

    def on_numbers(original: Callable[..., Any], last: int) -> Callable[..., Any]:
        """`last` is the position of the last handle, whose type is that of the numbers; behind it is what to do."""

        def mended(self, *given):  # type: ignore[no-untyped-def]
            if given[last].dtype.scalar != tl.bfloat16 or of_bits.intersection(given[last + 1 :]):
                return original(self, *given)
            found = original(self, *map(widened, given[: last + 1]), *given[last + 1 :])
            return found if comparing.intersection(given[last + 1 :]) else _narrowed(found)

        return mended

    for name, last in {"binary_op": 1, "ternary_op": 2, "unary_op": 0, "create_fma": 2, "create_rsqrt": 0}.items():
        setattr(builder, name, on_numbers(getattr(builder, name), last))

    convert, add_up = builder.cast_impl, reductions.sum

    def cast_impl(self, src, dst_type):  # type: ignore[no-untyped-def]
        if dst_type.scalar != tl.bfloat16 or src.dtype.scalar == tl.bfloat16:
            return convert(self, widened(src), dst_type)
        return interpreter.TensorHandle(bits_of_bfloat16(src.data.astype(np.float32)), tl.bfloat16)

    def sum_of(self, given):  # type: ignore[no-untyped-def]
        if given.dtype.scalar != tl.bfloat16:
            return add_up(self, given)
        wide = add_up(self, self.to_tensor(widened(given.handle).data, tl.float32))
        bits = _narrowed(wide.handle).data
        return self.to_tensor(bits if wide.type.is_block() else bits.item(), given.dtype)

    builder.cast_impl, reductions.sum = cast_impl, sum_of


def widened(given: Any) -> Any:
    """A handle of bfloat16 as one of float32; any other as it is."""
    import numpy as np
    import triton.language as tl
    from triton.runtime import interpreter

    if given.dtype.scalar != tl.bfloat16:
        return given
    return interpreter.TensorHandle((given.data.astype(np.uint32) << 16).view(np.float32), tl.float32)


def _narrowed(given: Any) -> Any:
    """A handle of float32 as one of bfloat16."""
    import numpy as np
    import triton.language as tl
    from triton.runtime import interpreter

    return interpreter.TensorHandle(bits_of_bfloat16(np.asarray(given.data, dtype=np.float32)), tl.bfloat16)


def bits_of_bfloat16(values: Any) -> Any:
    """float32 rounded to nearest, ties to even, as the interpreter stores bfloat16; NaN stays NaN."""
    import numpy as np

    bits = values.view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(values), 0x7FC0 | (bits >> 16), rounded).astype(np.uint16)
