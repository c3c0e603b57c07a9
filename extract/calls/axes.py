"""What a solved axis may be, and what must hold between axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from kmaint.records.workload import Axis, Binding

MOST_CHOICES = 8
MOST_STEP = 4
"""A size that only comes in larger steps is one of those that were seen: draws that must hit the step are wasted."""

LARGEST_DRAWN = 64
"""What a generated test draws of a size that varies freely, unless all that was seen is larger."""


def axis_of(name: str, values: Sequence[Binding]) -> Axis:
    """Free from 1 up where odd sizes were seen, or odd multiples of 2 or 4, else one of what was seen."""
    distinct = sorted(set(values), key=lambda value: (str(type(value)), value))
    whole = [value for value in distinct if type(value) is int]
    uneven = any(value % 8 and value & (value - 1) for value in whole) and step_of(whole) <= MOST_STEP
    if len(whole) == len(distinct) >= 3 and uneven and min(whole) >= 1 and "stride" not in name:
        high = max(min(LARGEST_DRAWN, max(whole)), min(whole))
        return Axis(name=name, low=1, high=high, edges=tuple(value for value in whole if value <= high)[:MOST_CHOICES])
    if len(distinct) > MOST_CHOICES:
        last = len(distinct) - 1
        distinct = [distinct[round(i * last / (MOST_CHOICES - 1))] for i in range(MOST_CHOICES)]
    return Axis(name=name, choices=tuple(distinct))


def constraints_of(axes: Sequence[Axis], bindings: Sequence[Mapping[str, Binding]]) -> Iterator[str]:
    """What held in every call: steps of free sizes, and divisibility between sizes that both vary, such as heads."""
    for axis in axes:
        step = step_of([size for binding in bindings if isinstance(size := binding[axis.name], int)])
        if not axis.choices and step > 1:
            yield f"{axis.name} % {step} == 0"
    chosen = [axis.name for axis in axes if len(axis.choices) > 1 and all(type(one) is int for one in axis.choices)]
    for one, other in itertools.permutations(chosen, 2):
        pairs = [(binding[one], binding[other]) for binding in bindings]
        divides = all(isinstance(a, int) and isinstance(b, int) and b > 0 and a % b == 0 and a >= b for a, b in pairs)
        if divides and any(a != b for a, b in pairs):
            yield f"{one} % {other} == 0"


def step_of(sizes: Sequence[int]) -> int:
    """The largest number of which all are multiples."""
    return math.gcd(*sizes)
