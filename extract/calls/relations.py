"""Columns of whole numbers seen over several calls, and how one follows from others."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Column = tuple[int | None, ...]
"""One quantity's value in each call; None where the call has no such argument."""

LARGEST_FACTOR = 64
"""Two sizes whose ratio is the same in all calls are related up to this ratio; beyond it that is mostly chance."""


@dataclass(frozen=True)
class Relation:
    """An expression over names of axes that gives a column in every call."""

    expression: str
    names: tuple[str, ...]


def related(column: Column, axes: Mapping[str, Column]) -> Relation | None:
    """The simplest expression over the axes that gives the column; None where none of the known forms does.

    Forms: an axis, a multiple of one, one or two more, its next power of two, a product, a rounded-up quotient.
    """
    known = {name: axis for name, axis in axes.items() if _comparable(column, axis)}
    for name, axis in known.items():
        if _holds(column, [axis], lambda a: a):
            return Relation(name, (name,))
    if len(set(_present(column))) < 2:
        return None
    for name, axis in known.items():
        for text, how in _of_one(column, name, axis):
            if _holds(column, [axis], how):
                return Relation(text, (name,))
    for one, other in itertools.combinations(known, 2):
        for text, two in _of_two(one, other):
            if _holds(column, [known[one], known[other]], two):
                return Relation(text, (one, other))
    return None


def _of_one(column: Column, name: str, axis: Column) -> Iterator[tuple[str, Callable[[int], int]]]:
    ratio = next((v // a for v, a in zip(column, axis, strict=True) if v is not None and a), 0)
    if 2 <= ratio <= LARGEST_FACTOR:
        yield f"{ratio} * {name}", lambda a: ratio * a
    for more in (1, 2):
        yield f"{name} + {more}", lambda a, more=more: a + more  # type: ignore[misc]
    yield f"next_power_of_2({name})", lambda a: 1 << max(0, a - 1).bit_length()


def _of_two(one: str, other: str) -> Iterator[tuple[str, Callable[[int, int], int]]]:
    yield f"{one} * {other}", lambda a, b: a * b
    yield f"cdiv({one}, {other})", lambda a, b: -(-a // b) if b else -1
    yield f"cdiv({other}, {one})", lambda a, b: -(-b // a) if a else -1


def _present(column: Sequence[int | None]) -> list[int]:
    return [value for value in column if value is not None]


def _comparable(column: Column, axis: Column) -> bool:
    return all(a is not None for v, a in zip(column, axis, strict=True) if v is not None)


def _holds(column: Column, axes: Sequence[Column], how: Callable[..., int]) -> bool:
    return all(value is None or how(*(axis[i] for axis in axes)) == value for i, value in enumerate(column))
