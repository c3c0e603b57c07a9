"""What the tensors of a case hold: valid for what a kernel takes them as, under every profile of values.

Copied unchanged into every harness.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

PROFILES = (
    "normal",
    "small",
    "large",
    "subnormal",
    "zeros",
    "constant",
    "outlier",
    "infinite",
    "nan",
    "integers",
    "ties",
    "first_row",
    "scales",
    "largest",
    "square",
    "ragged",
)
"""What the contents of a case look like. Whole numbers add up exactly; with ties a row holds three values; first_row
is a thousand times the others; with scales each row has one of its own, from 1e-4 to 150; largest and square put into
each row one element that is the largest there is, or whose square is no number of its type any more; ragged has index
contents at their edges: lengths of 0 beside full ones, most indices alike, empty experts. Index contents are valid
under every profile."""

SPECIALS = ("nan", "inf", "-inf", "-0.0", "subnormal", "largest", "square", "1.0")
"""What a poke may put in place of an element."""


def fill(view: torch.Tensor, kind: str, bound: int, profile: str, generator: torch.Generator) -> None:
    """Write contents of a kind into the view; `bound` is what index contents stay below, or a kind's own parameter."""
    view = once(view)
    if (
        not view.is_floating_point()
        and kind == "normal"
        and profile in ("infinite", "nan", "largest", "square", "outlier", "scales")
    ):
        profile = "normal"  # there is no such whole number
    x = CONTENTS[kind](tuple(view.shape), bound, profile, generator)
    if kind == "normal" and profile in ("largest", "square", "subnormal"):
        x = _at_the_end(x, profile, view.dtype, generator)
    view.copy_(x)


def firsts(view: torch.Tensor) -> tuple[slice, ...]:
    """Of a tensor that repeats elements, which to take so that each is taken once."""
    return tuple(slice(1) if stride == 0 else slice(None) for stride in view.stride())


def once(view: torch.Tensor) -> torch.Tensor:
    """The part of an expanded tensor that holds each element in memory once; any other tensor as it is."""
    return view[firsts(view)]


def poke(view: torch.Tensor, at: int, special: str) -> None:
    """Put a special value in place of one element, counted from the first and round again; none into whole numbers."""
    view = once(view)
    if view.is_floating_point() and view.numel():
        left, where = at % view.numel(), list[int]()
        for size in reversed(view.shape):  # not torch.unravel_index: its first call imports sympy, for seconds
            left, one = divmod(left, size)
            where.append(one)
        view[tuple(reversed(where))] = special_value(special, view.dtype)


def special_value(special: str, dtype: torch.dtype) -> float:
    """The value of that name in the type."""
    limits = torch.finfo(dtype)
    named = {"subnormal": limits.smallest_normal / 4, "largest": limits.max, "square": 1.5 * math.sqrt(limits.max)}
    return named[special] if special in named else float(special)


def _at_the_end(x: torch.Tensor, profile: str, dtype: torch.dtype, generator: torch.Generator) -> torch.Tensor:
    """The contents scaled to subnormal numbers, or with one element at the end of the type's range in each row."""
    value = special_value(profile, dtype)
    if profile == "subnormal":
        return x.double() * value
    if not x.numel() or not x.dim():
        return x
    at = torch.randint(x.shape[-1], (*x.shape[:-1], 1), generator=generator, device=x.device)
    return x.scatter(-1, at, value)


Contents = Callable[[tuple[int, ...], int, str, torch.Generator], torch.Tensor]


def _random(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    return torch.randn(shape, generator=generator, device=generator.device)


def _normal(shape: tuple[int, ...], _bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    x = _random(shape, generator)
    scale = {"small": 1e-3, "large": 100.0}.get(profile, 1.0)
    x = x * scale
    if profile in ROWS and x.dim():
        x = ROWS[profile](x, generator)
    elif profile == "zeros":
        x = torch.where(x > 0, 0.0, -0.0)
    elif profile == "constant":
        x = torch.full_like(x, 0.5)
    elif profile in ("outlier", "infinite", "nan") and x.numel():
        special = {"outlier": 3e4, "infinite": math.inf, "nan": math.nan}[profile]
        at = torch.randint(x.numel(), (1 + x.numel() // 97,), generator=generator, device=x.device)
        x.view(-1)[at] = special
    return x


def _first_row(x: torch.Tensor, _generator: torch.Generator) -> torch.Tensor:
    x[:1] *= 1000.0
    return x


def _scales(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    each = torch.rand((*x.shape[:-1], 1), generator=generator, device=x.device)
    return x * torch.exp(math.log(1e-4) + each * math.log(150 / 1e-4))


ROWS: dict[str, Callable[[torch.Tensor, torch.Generator], torch.Tensor]] = {
    "integers": lambda x, _generator: (x * 2).round().clamp(-4, 4),
    "ties": lambda x, _generator: torch.where(x > 0.4, 1.0, torch.where(x < -0.4, -0.5, 0.25)),
    "first_row": _first_row,
    "scales": _scales,
}
"""Profiles of numbers that differ from row to row, or take few values."""


def _log_sum_exp(shape: tuple[int, ...], _bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """Of attention parts: around 5, and -inf or +inf for parts that saw no key."""
    x = _random(shape, generator) * 3 + 5
    if profile in ("infinite", "zeros") and x.numel():
        pick = torch.rand(shape, generator=generator, device=x.device)
        x = torch.where(pick < 0.1, -math.inf, torch.where(pick < 0.15, math.inf, x))
    return x


def _index(shape: tuple[int, ...], bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """Any below the bound; where ragged, most of them are the lowest and many are none, as tokens choose experts."""
    if profile == "ragged":
        drawn = torch.rand(shape, generator=generator, device=generator.device)
        return (drawn**4 * max(1, bound)).long()
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
    """Sequence lengths from 1 to the bound: all of them full under the normal profile, and where ragged some are 0."""
    if profile == "normal":
        return torch.full(shape, bound, device=generator.device)
    lengths = torch.randint(1, max(2, bound + 1), shape, generator=generator, device=generator.device)
    if profile == "ragged":
        drawn = torch.rand(shape, generator=generator, device=generator.device)
        return torch.where(drawn < 0.3, 0, torch.where(drawn > 0.8, bound, lengths))
    return lengths


def _counts(shape: tuple[int, ...], bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """Whole numbers from 1 to the bound, as parts that work is cut into: all at the bound under the normal profile."""
    if profile == "normal":
        return torch.full(shape, max(1, bound), device=generator.device)
    return torch.randint(1, max(2, bound + 1), shape, generator=generator, device=generator.device)


def _decay(shape: tuple[int, ...], _bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """Rates at which a state fades, from -16 to -1 as state space models begin with; where ragged a quarter is 0."""
    rates = -1.0 - 15.0 * torch.rand(shape, generator=generator, device=generator.device)
    drawn = torch.rand(shape, generator=generator, device=generator.device)
    return torch.where(drawn < 0.25, 0.0, rates) if profile == "ragged" else rates


def _temperature(shape: tuple[int, ...], _bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """Of requests: 0.5 to 1.5, and under every profile but normal a quarter each is 0 (greedy) and 1 (as it is)."""
    drawn = torch.rand(shape, generator=generator, device=generator.device)
    pick = torch.rand(shape, generator=generator, device=generator.device)
    special = torch.where(pick < 0.25, 0.0, torch.where(pick < 0.5, 1.0, drawn + 0.5))
    return drawn + 0.5 if profile == "normal" else special


def _probability(shape: tuple[int, ...], _bound: int, profile: str, generator: torch.Generator) -> torch.Tensor:
    """From 0 to 1; where ragged a quarter is 0."""
    drawn = torch.rand(shape, generator=generator, device=generator.device)
    return torch.where(drawn < 0.25, 0.0, drawn) if profile == "ragged" else drawn


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
    "counts": _counts,
    "cumulative": _cumulative,
    "cos_sin": _cos_sin,
    "decay": _decay,
    "scale": lambda shape, _b, _p, g: torch.rand(shape, generator=g, device=g.device) + 0.5,
    "probability": _probability,
    "temperature": _temperature,
    "arange": lambda shape, bound, _p, g: torch.arange(math.prod(shape), device=g.device).view(shape) * max(1, bound),
    "zeros": lambda shape, _b, _p, g: torch.zeros(shape, device=g.device),
    "output": lambda shape, _b, _p, g: torch.full(shape, math.nan, device=g.device),
    "scratch": lambda shape, _b, _p, g: torch.full(shape, math.nan, device=g.device),
    "ones": lambda shape, _b, _p, g: torch.ones(shape, device=g.device),
}
