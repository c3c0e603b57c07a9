"""What the tensors of a case hold: valid for what a kernel takes them as, under every profile of values.

Copied unchanged into every harness.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

PROFILES = ("normal", "small", "large", "subnormal", "zeros", "constant", "outlier", "infinite", "nan")
"""What the floating-point contents of a case look like; index tensors are valid under every profile."""


def fill(view: torch.Tensor, kind: str, bound: int, profile: str, generator: torch.Generator) -> None:
    """Write contents of a kind into the view; `bound` is what index contents stay below, or a kind's own parameter."""
    view = once(view)
    view.copy_(CONTENTS[kind](tuple(view.shape), bound, profile, generator))


def once(view: torch.Tensor) -> torch.Tensor:
    """The part of an expanded tensor that holds each element in memory once; any other tensor as it is."""
    return view[tuple(slice(1) if stride == 0 else slice(None) for stride in view.stride())]


Contents = Callable[[tuple[int, ...], int, str, torch.Generator], torch.Tensor]


def _random(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    return torch.randn(shape, generator=generator, device=generator.device)


def _normal(shape: tuple[int, ...], _bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    x = _random(shape, generator)
    scale = {"small": 1e-3, "large": 100.0, "subnormal": 1e-39, "zeros": 0.0}.get(profile, 1.0)
    x = x * scale
    if profile == "zeros":
        x = torch.where(_random(shape, generator) > 0, 0.0, -0.0)
    elif profile == "constant":
        x = torch.full_like(x, 0.5)
    elif profile in ("outlier", "infinite", "nan") and x.numel():
        special = {"outlier": 3e4, "infinite": math.inf, "nan": math.nan}[profile]
        at = torch.randint(x.numel(), (1 + x.numel() // 97,), generator=generator, device=x.device)
        x.view(-1)[at] = special
    return x


def _log_sum_exp(shape: tuple[int, ...], _bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """Of attention parts: around 5, and -inf or +inf for parts that saw no key."""
    x = _random(shape, generator) * 3 + 5
    if profile in ("infinite", "zeros") and x.numel():
        pick = torch.rand(shape, generator=generator, device=x.device)
        x = torch.where(pick < 0.1, -math.inf, torch.where(pick < 0.15, math.inf, x))
    return x


def _index(shape: tuple[int, ...], bound: int, _profile: str, generator: torch.Generator) -> torch.Tensor:
    return torch.randint(max(1, bound), shape, generator=generator, device=generator.device)


def _permutation(shape: tuple[int, ...], bound: int, _profile: str, generator: torch.Generator) -> torch.Tensor:
    """Distinct numbers below the bound, as page tables and slot mappings hold them."""
    return torch.randperm(max(bound, math.prod(shape)), generator=generator, device=generator.device)[
        : math.prod(shape)
    ].view(shape)


def _slots(shape: tuple[int, ...], bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """Distinct cache slots; about one in eight is -1 (padding, to be skipped) under every profile but normal."""
    slots = _permutation(shape, bound, profile, generator)
    skipped = torch.rand(shape, generator=generator, device=generator.device) < 0.125
    return slots if profile == "normal" else torch.where(skipped, -1, slots)


def _lengths(shape: tuple[int, ...], bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """Sequence lengths from 1 to the bound: all of them full under the normal profile, ragged under the others."""
    if profile == "normal":
        return torch.full(shape, bound, device=generator.device)
    return torch.randint(1, max(2, bound + 1), shape, generator=generator, device=generator.device)


def _cumulative(shape: tuple[int, ...], bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """Where each sequence begins and the last one ends, from 0 to the bound; evenly under the normal profile."""
    inner = max(0, math.prod(shape) - 2)
    cuts = torch.arange(1, inner + 1, device=generator.device) * bound // (inner + 1)
    if profile != "normal":
        cuts = torch.randint(bound + 1, (inner,), generator=generator, device=generator.device).sort().values
    ends = [torch.tensor([end], device=generator.device) for end in (0, bound)]
    return torch.cat([ends[0], cuts, ends[1]])[: math.prod(shape)].view(shape)


def _cos_sin(shape: tuple[int, ...], _bound: int, _profile: str, generator: torch.Generator) -> torch.Tensor:
    """A rotary cache: [positions, rotary_dim], cosines in the first half of a row and sines in the second."""
    positions, dim = shape
    inverse = 10000.0 ** -(torch.arange(dim // 2, device=generator.device) * 2.0 / max(1, dim))
    angle = torch.arange(positions, device=generator.device)[:, None] * inverse[None, :]
    return torch.cat([angle.cos(), angle.sin()], dim=1)


# An "output" is to be written whole, so it starts as NaN; a "scratch" is the callee's to use: none of it is compared.
CONTENTS: dict[str, Contents] = {
    "normal": _normal,
    "log_sum_exp": _log_sum_exp,
    "index": _index,
    "permutation": _permutation,
    "slots": _slots,
    "lengths": _lengths,
    "cumulative": _cumulative,
    "cos_sin": _cos_sin,
    "scale": lambda shape, _b, _p, g: torch.rand(shape, generator=g, device=g.device) + 0.5,
    "probability": lambda shape, _b, _p, g: torch.rand(shape, generator=g, device=g.device),
    "arange": lambda shape, bound, _p, g: torch.arange(math.prod(shape), device=g.device).view(shape) * max(1, bound),
    "zeros": lambda shape, _b, _p, g: torch.zeros(shape, device=g.device),
    "output": lambda shape, _b, _p, g: torch.full(shape, math.nan, device=g.device),
    "scratch": lambda shape, _b, _p, g: torch.full(shape, math.nan, device=g.device),
    "ones": lambda shape, _b, _p, g: torch.ones(shape, device=g.device),
}
