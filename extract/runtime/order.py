"""Runs the programs of a grid last to first: a result that depends on their order is a race, not an answer.

Copied unchanged into every harness. Triton's interpreter runs them one after the other; where kernels are compiled
their order cannot be chosen.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def reversed_programs() -> Iterator[bool]:
    """Run the grids launched in the block from their last program to their first; False where that cannot be had."""
    if os.environ.get("TRITON_INTERPRET") != "1":
        yield False
        return
    from triton.runtime.interpreter import interpreter_builder as builder

    forward = builder.set_grid_idx

    def backward(x: int, y: int, z: int) -> None:
        last = builder.grid_dim
        forward(last[0] - 1 - x, last[1] - 1 - y, last[2] - 1 - z)

    builder.set_grid_idx = backward
    try:
        yield True
    finally:
        del builder.set_grid_idx  # the class's own is seen again
