"""A draft's arithmetic: expressions over axes alone, and strides that keep every element apart."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from extract.deriving.alone.draft import Draft, evaluated, virtual_strides, with_axis

EMPTY = Draft({}, {}, {}, frozenset(), {}, (), {})


def test_an_expression_is_over_axes_alone() -> None:
    draft = replace(EMPTY, scalars={"a": "=b * 2", "b": "=n + c", "c": 3}, axes={"n": (2, 5, 4)}, grid=("cdiv(a, 4)",))
    assert draft.inlined("a") == "(n + 3) * 2"
    assert draft.json("=c * 2") == 6
    assert [evaluated(draft, "=a", which) for which in range(3)] == [10, 16, 14]
    assert draft.used_axes() == {"n": (2, 5, 4)}


def test_no_two_axes_of_a_class_have_the_same_sizes() -> None:
    draft = EMPTY
    for number in range(20):
        draft = with_axis(draft, f"tokens_{number}")
    assert len(set(draft.axes.values())) == 20


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.booleans())
def test_strides_are_powers_of_two_that_keep_elements_apart(dimensions: list[int], narrow: bool) -> None:
    numbers = itertools.count()
    strides = {f"t{n}": tuple(f"s{next(numbers)}" for _ in range(count)) for n, count in enumerate(dimensions)}
    found = virtual_strides(replace(EMPTY, strides=strides), narrow={"s0"} if narrow else set())
    for those in strides.values():
        values = [found[name] for name in those]
        assert all(value & (value - 1) == 0 for value in values)
        assert all(outer >= 2 * inner for outer, inner in itertools.pairwise(values))
    assert max(found.values()) < (1 << 30 if narrow else 1 << 48)
