"""Finds the expression over axes that a size follows, from what the size was on three sets of axes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Values = tuple[int, ...]
"""What an expression is on each set of axes."""

SETS = 3
MOST_TERMS = 14
SLACK = 1.6
"""How much larger than what is touched a tensor may be where nothing fits exactly."""


@dataclass(frozen=True)
class Term:
    """An expression with its values; `factors` are the sizes that it is the product of, outermost first."""

    text: str
    values: Values
    factors: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[str, ...]:
        return self.factors or (self.text,)


def fitted(wanted: Values, axes: Mapping[str, Values], constants: Sequence[int] = ()) -> Term | None:
    """The simplest expression with these values, or else the least one that is nowhere smaller; None without either.

    `constants` are tile sizes that a count may be rounded up to.
    """
    if len(set(wanted)) == 1:
        return Term(str(wanted[0]), wanted)
    terms = _known(tuple(axes.items()), tuple(constants))
    return terms.exact(wanted) or terms.least(wanted)


class _Known:
    """All terms over some axes, made as far as they have been asked for: a kernel's tensors share them."""

    def __init__(self, axes: tuple[tuple[str, Values], ...], constants: tuple[int, ...]) -> None:
        self._rest = _terms(dict(axes), constants)
        self._simplest: dict[Values, Term] = {}

    def exact(self, wanted: Values) -> Term | None:
        if (found := self._simplest.get(wanted)) is not None:
            return found
        for term in self._rest:
            self._simplest.setdefault(term.values, term)
            if term.values == wanted:
                return term
        return None

    def least(self, wanted: Values) -> Term | None:
        """After `exact` has found none."""
        first, second, third = wanted
        best: tuple[float, Term] | None = None
        for (one, two, three), term in self._simplest.items():
            if one >= first and two >= second and three >= third:
                slack = max(one / max(1, first), two / max(1, second), three / max(1, third))
                if slack <= SLACK and (best is None or slack < best[0]):
                    best = slack, term
        return best[1] if best else None


@functools.lru_cache(maxsize=4)
def _known(axes: tuple[tuple[str, Values], ...], constants: tuple[int, ...]) -> _Known:
    return _Known(axes, constants)


def _terms(axes: Mapping[str, Values], constants: Sequence[int]) -> Iterator[Term]:
    plain = [Term(name, values) for name, values in itertools.islice(axes.items(), MOST_TERMS)]
    derived = [changed for term in plain for changed in _changed(term, constants)]
    yield from plain
    yield from derived
    simple = [*plain, *derived]
    for one, other in itertools.combinations(plain, 2):
        yield _product(one, other)
    for one in plain:
        for other in derived:
            yield _product(one, other)
    for one, other in itertools.combinations_with_replacement(plain, 2):
        yield _sum(one, other)
    for one, other, third in itertools.combinations(plain, 3):
        yield _product(_product(one, other), third)
    for one, other in itertools.combinations(plain, 2):
        for third in simple:
            yield _sum(_product(one, other), third)
    for one, other in itertools.combinations(derived, 2):
        yield _product(one, other)
    for one, other in itertools.combinations(plain, 2):
        for third in derived:
            yield _product(_product(one, other), third)


def _changed(term: Term, constants: Sequence[int]) -> Iterator[Term]:
    """One axis and a number."""
    name, values = term.text, term.values
    for step in (1, -1, 2):
        yield Term(f"{name} {'+' if step > 0 else '-'} {abs(step)}", tuple(value + step for value in values))
    for times in (2, 3, 4, 6, 8, 16):
        yield Term(f"{times} * {name}", tuple(times * value for value in values))
    for part in (2, 4, 8, 16):
        if all(value % part == 0 for value in values):
            yield Term(f"{name} // {part}", tuple(value // part for value in values))
    for tile in constants:
        counts = tuple(-(-value // tile) for value in values)
        yield Term(f"cdiv({name}, {tile})", counts)
        yield Term(f"cdiv({name}, {tile}) * {tile}", tuple(tile * count for count in counts))
        yield Term(f"{tile} * {name}", tuple(tile * value for value in values))
    yield Term(f"next_power_of_2({name})", tuple(1 << max(0, value - 1).bit_length() for value in values))


def _product(one: Term, other: Term) -> Term:
    values = tuple(a * b for a, b in zip(one.values, other.values, strict=True))
    return Term(f"({one.text}) * ({other.text})", values, (*one.shape, *other.shape))


def _sum(one: Term, other: Term) -> Term:
    return Term(f"{one.text} + {other.text}", tuple(a + b for a, b in zip(one.values, other.values, strict=True)))
