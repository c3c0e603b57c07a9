"""How a tensor argument lies in memory: what a launcher that reads strides must take, and one that assumes must refuse.

Copied unchanged into every harness. A layout changes where the elements are, never what they are: a call that honours
strides gives the same on each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

GAP = 16
"""Elements of a gap: what comes after it stays as aligned as it was."""

FAR = 1 << 31
"""Elements that an offset of 32 bits cannot count."""

LAYOUTS = (
    "contiguous",
    "offset",
    "rows",
    "heads",
    "sliced",
    "strided",
    "transposed",
    "swapped",
    "repeated",
    "expanded",
    "far",
)
"""contiguous; one element past an aligned address; gaps between the entries of the first axis; gaps after each run of
the last axis, as padded heads have them; the inner window of a larger tensor; every second column; the last two axes
swapped in memory; the first two swapped, as between NHD and HND caches; every entry of the first axis the same, each in
its own place; the same in one place, with stride 0; and entries of the first axis so far apart that the last begins
past 2^31 elements: only pages that are touched take memory, and only on a CPU."""


@dataclass(frozen=True)
class Place:
    """Where a tensor's elements lie, in elements from the first byte behind the red zone."""

    strides: tuple[int, ...]
    start: int = 0
    """Elements before the first."""
    span: int = 0
    """Elements from the first byte behind the red zone to the last element."""


def place(shape: tuple[int, ...], layout: str, strides: tuple[int, ...] | None = None) -> Place:
    """Where the elements go; a layout that a shape has no room for is the contiguous one.

    Given strides stay what they are: only an offset can be added to them.
    """
    start = 1 if layout == "offset" else 0
    if strides is None:
        padded = [size + around for size, around in zip(shape, _margins(shape, layout), strict=True)]
        strides = _packed(padded, _order(len(shape), layout))
        if layout == "sliced" and len(shape) > 1:
            start = sum(strides[:-1]) + GAP
        elif layout == "strided":
            strides = tuple(2 * stride for stride in strides)
        elif layout == "rows" and len(shape) > 1:
            strides = (strides[0] + GAP, *strides[1:])
        elif layout == "expanded" and shape:
            strides = (0, *strides[1:])
        elif is_far(shape, layout):
            strides = (-(-FAR // (shape[0] - 1)) // GAP * GAP + GAP, *strides[1:])
    last = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    return Place(strides, start, 0 if 0 in shape else start + last + 1)


def is_far(shape: tuple[int, ...], layout: str) -> bool:
    """Whether the entries of the first axis are to be kept apart, each with red zones of its own."""
    return layout == "far" and len(shape) > 0 and shape[0] > 1 and 0 not in shape


def of(layout: str, name: str, admitted: list[str]) -> str:
    """One argument's layout: `"strided x out"` is for the arguments it names, `"rows"` for all that admit it."""
    chosen, *named = layout.split()
    return chosen if name in named or (not named and chosen in admitted) else "contiguous"


def _margins(shape: tuple[int, ...], layout: str) -> list[int]:
    """How much wider each dimension is in memory."""
    margins = [0] * len(shape)
    if len(shape) > 1 and layout == "heads":
        margins[-1] = GAP
    elif len(shape) > 1 and layout == "sliced":
        margins = [*([2] * (len(shape) - 1)), 2 * GAP]
    return margins


def _order(dimensions: int, layout: str) -> list[int]:
    """Dimensions from the slowest in memory to the fastest."""
    order = list(range(dimensions))
    if dimensions > 1 and layout == "transposed":
        order[-2:] = order[:-3:-1]
    elif dimensions > 2 and layout == "swapped":
        order[:2] = [1, 0]
    return order


def _packed(sizes: list[int], order: list[int]) -> tuple[int, ...]:
    strides = [0] * len(sizes)
    for at, dimension in enumerate(order):
        strides[dimension] = math.prod(sizes[behind] for behind in order[at + 1 :])
    return tuple(strides)
