"""Where the elements of a tensor go under each layout."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from extract.runtime.layouts import FAR, LAYOUTS, of, place

SHAPES = st.lists(st.integers(0, 5), max_size=4).map(tuple)
NEARBY = [layout for layout in LAYOUTS if layout not in ("expanded", "far")]


@settings(deadline=None)
@given(shape=SHAPES, layout=st.sampled_from(NEARBY))
def test_each_element_has_a_place_of_its_own_inside_the_span(shape: tuple[int, ...], layout: str) -> None:
    where = place(shape, layout)
    taken = torch.zeros(where.span, dtype=torch.int32)
    view = taken[where.start :].as_strided(shape, where.strides) if where.span else torch.empty(shape)
    view += 1
    assert int(taken.sum()) == view.numel()
    assert not where.span or int(taken.max()) == int(taken[-1]) == 1


@settings(deadline=None)
@given(shape=SHAPES)
def test_far_entries_begin_past_what_32_bits_count(shape: tuple[int, ...]) -> None:
    where = place(shape, "far")
    if shape and shape[0] > 1 and 0 not in shape:
        assert (shape[0] - 1) * where.strides[0] > FAR
        assert where.strides[1:] == place(shape, "contiguous").strides[1:]
    else:
        assert where == place(shape, "contiguous")


@pytest.mark.parametrize(
    ("layout", "strides", "start"),
    [
        ("contiguous", (20, 5, 1), 0),
        ("offset", (20, 5, 1), 1),
        ("rows", (36, 5, 1), 0),
        ("heads", (84, 21, 1), 0),
        ("sliced", (222, 37, 1), 275),
        ("strided", (40, 10, 2), 0),
        ("transposed", (20, 1, 4), 0),
        ("swapped", (5, 15, 1), 0),
        ("repeated", (20, 5, 1), 0),
        ("expanded", (0, 5, 1), 0),
    ],
)
def test_layouts_are_as_they_are_called(layout: str, strides: tuple[int, ...], start: int) -> None:
    where = place((3, 4, 5), layout)
    assert (where.strides, where.start) == (strides, start)


def test_given_strides_stay() -> None:
    assert place((3, 4), "transposed", (10, 2)).strides == (10, 2)
    assert place((3, 4), "offset", (10, 2)).start == 1


def test_a_layout_is_for_those_it_names_or_for_those_that_admit_it() -> None:
    assert of("strided x out", "x", []) == "strided"
    assert of("strided x out", "w", ["strided"]) == "contiguous"
    assert of("rows", "w", ["contiguous", "rows"]) == "rows"
    assert of("rows", "x", ["contiguous"]) == "contiguous"
