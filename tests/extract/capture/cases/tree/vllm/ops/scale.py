"""A kernel with a plain launcher that is registered, decorated and handed on before its module is complete."""

from __future__ import annotations

import functools

import torch
import triton
import triton.language as tl

OPS = {}


def register(function):
    OPS[function.__name__] = function
    return function


@triton.jit
def scale_kernel(x_ptr, out_ptr, n, factor, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n) * factor, mask=at < n)


@register
@torch.no_grad()
def scale(x: torch.Tensor, factor: float = 2.0, *, out: torch.Tensor | None = None, dtype=None) -> torch.Tensor:
    """What is scaled; `out` may be `x`."""
    out = torch.empty_like(x, dtype=dtype) if out is None else out
    scale_kernel[(triton.cdiv(x.numel(), 16),)](x, out, x.numel(), factor, BLOCK=16)
    return out


twice = functools.partial(scale, factor=2.0)


def gather(source: torch.Tensor, index: torch.Tensor, sizes: list[int], mode: str = "plain") -> torch.Tensor:
    if mode == "broken":
        raise ValueError(f"no such mode: {mode}")
    rows = source[index[: sizes[0]]]
    out = torch.empty_like(rows)
    scale_kernel[(triton.cdiv(rows.numel(), 16),)](rows, out, rows.numel(), 1.0, BLOCK=16)
    return out


def double(x: torch.Tensor) -> torch.Tensor:
    """Launches on a GPU only, so that torch.compile can take it in without one."""
    if x.is_cuda:
        scale_kernel[(triton.cdiv(x.numel(), 16),)](x, x, x.numel(), 2.0, BLOCK=16)
        return x
    return x * 2
