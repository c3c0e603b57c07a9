from __future__ import annotations

import pytest

from extract.deriving.alone.fit import fitted
from kmaint.expression import evaluate

AXES = {"rows": (3, 5, 4), "heads": (4, 2, 6), "dim": (48, 80, 112)}


@pytest.mark.parametrize(
    "truth",
    [
        "7",
        "dim",
        "rows + 1",
        "2 * dim",
        "dim // 2",
        "(rows) * (dim)",
        "cdiv(dim, 32)",
        "cdiv(dim, 32) * 32",
        "(rows) * (heads) * (dim)",
        "rows + heads",
        "(rows) * (cdiv(dim, 32))",
    ],
)
def test_an_expression_is_found_again_from_its_values(truth: str) -> None:
    sets = [{name: values[which] for name, values in AXES.items()} for which in range(3)]
    wanted = (int(evaluate(truth, sets[0])), int(evaluate(truth, sets[1])), int(evaluate(truth, sets[2])))
    found = fitted(wanted, AXES, [32])
    assert found is not None and found.values == wanted
    assert tuple(int(evaluate(found.text, bound)) for bound in sets) == wanted


def test_a_product_says_its_factors() -> None:
    found = fitted((3 * 48, 5 * 80, 4 * 112), AXES)
    assert found is not None and found.shape == ("rows", "dim")


def test_where_nothing_fits_the_least_that_is_large_enough() -> None:
    found = fitted((47, 79, 111), {"dim": (48, 80, 113)})
    assert found is not None and found.text == "dim - 1"
    assert fitted((1000, 3, 70), AXES) is None
