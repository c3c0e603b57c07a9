"""Kernels that methods launch: a plain one, one under heuristics, and one that stands in a class."""

import torch
import triton
import triton.language as tl


@triton.heuristics({"EVEN": lambda given: given["n"] % given["BLOCK"] == 0})
@triton.jit
def add_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr, EVEN: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    if EVEN:
        tl.store(y_ptr + at, tl.load(x_ptr + at) + tl.load(y_ptr + at))
    else:
        inside = at < n
        tl.store(y_ptr + at, tl.load(x_ptr + at, mask=inside) + tl.load(y_ptr + at, mask=inside), mask=inside)


class Adder:
    @staticmethod
    @triton.jit
    def fill_kernel(y_ptr, value, BLOCK: tl.constexpr = 8):
        tl.store(y_ptr + tl.arange(0, BLOCK), value)

    def __init__(self) -> None:
        self.sum = torch.zeros(24)

    def add(self, x: torch.Tensor) -> None:
        add_kernel[lambda given: (triton.cdiv(given["n"], given["BLOCK"]),)](x, self.sum, x.numel(), BLOCK=8)

    def fill(self) -> None:
        self.fill_kernel[(1,)](self.sum, 3.0)
