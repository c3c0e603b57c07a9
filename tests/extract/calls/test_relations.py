from __future__ import annotations

import pytest

from extract.calls.relations import Relation, related

AXES = {"a": (3, 5, 6), "b": (2, 4, 8)}


@pytest.mark.parametrize(
    ("column", "expression"),
    [
        ((3, 5, 6), "a"),
        ((3, None, 6), "a"),
        ((21, 35, 42), "7 * a"),
        ((4, 8, 8), "next_power_of_2(a)"),
        ((6, 20, 48), "a * b"),
        ((2, 2, 1), "cdiv(a, b)"),
    ],
)
def test_each_form_is_found(column: tuple[int | None, ...], expression: str) -> None:
    found = related(column, AXES)
    assert found is not None
    assert found.expression == expression


def test_a_constant_is_related_to_nothing_but_an_equal_axis() -> None:
    assert related((6, 6, 6), AXES) is None
    assert related((6, 6, 6), {**AXES, "c": (6, 6, 6)}) == Relation("c", ("c",))


def test_an_axis_that_is_absent_where_the_column_is_not_gives_nothing() -> None:
    assert related((3, 5, 6), {"a": (3, None, 6)}) is None
