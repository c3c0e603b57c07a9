"""What is drawn for an axis, and what an axis is taken to mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from extract.runtime import contents
from kmaint.records.workload import Argument, Axis, Contract, Workload
from testgen import axes

CACHE = Contract(
    axes=(
        Axis(name="T", high=300, edges=(16,)),
        Axis(name="H", choices=(8, 1, 3)),
        Axis(name="D", choices=(64,)),
        Axis(name="BLOCKS", low=1, high=64),
        Axis(name="DT", choices=("bfloat16", "float16")),
        Axis(name="SCALED", choices=(False, True)),
    ),
    arguments=(
        Argument(name="key", kind="tensor", shape=("T", "H", "D"), dtype="DT"),
        Argument(name="cache", kind="tensor", shape=("BLOCKS", "16", "H", "D"), dtype="DT"),
        Argument(name="slots", kind="tensor", shape=("T",), dtype="int64", values="slots", bound="BLOCKS * 16"),
        Argument(name="scale", kind="tensor", shape=("1",), dtype="float32", values="scale", when="SCALED"),
        Argument(name="block", kind="value", value="=min(16, H)"),
        Argument(name="to", kind="value", value={"dtype": "DT"}),
    ),
    constraints=("T <= BLOCKS * 16",),
)


def test_sizes_stand_around_edges_and_ends() -> None:
    assert axes.sizes(Axis(name="T", low=1, high=40, edges=(16, 500))) == [1, 2, 3, 7, 13, 15, 16, 17, 31, 39, 40]


def test_values_shrink_towards_the_smallest() -> None:
    assert axes.values(Axis(name="H", choices=(8, 1, 3)), [2, 33]) == [1, 2, 3, 8, 33]
    assert axes.values(Axis(name="DT", choices=("float16", "bfloat16"))) == ["float16", "bfloat16"]
    assert axes.values(Axis(name="N", high=3)) == [0, 1, 2, 3]
    assert axes.values(Axis(name="N", low=1, high=40), [64], [32, 500]) == [1, 2, 3, 7, 13, 31, 32, 33, 39, 40, 64]


def test_the_ordinary_case_has_no_size_on_which_little_shows() -> None:
    assert axes.ordinary(CACHE) == {"T": 3, "H": 3, "D": 64, "BLOCKS": 3, "DT": "bfloat16", "SCALED": False}
    halves = Contract(axes=(Axis(name="D", low=1, high=300),), arguments=(), constraints=("D % 2 == 0",))
    assert axes.ordinary(halves) == {"D": 6}


def test_a_case_is_long_along_one_axis_that_is_cut_alone() -> None:
    contract = Contract(
        axes=(*CACHE.axes[:3], Axis(name="BLOCKS", low=1, high=400), *CACHE.axes[4:]),
        arguments=CACHE.arguments,
        constraints=CACHE.constraints,
        workloads=(Workload(name="w", weight=1.0, origin="derived", source="", axes={"T": 900, "BLOCKS": 64}),),
    )
    rest = {"H": 1, "D": 64, "DT": "bfloat16", "SCALED": False}
    assert axes.long_cases(contract) == {
        "T": [{"T": size, "BLOCKS": blocks, **rest} for size, blocks in ((24, 2), (48, 3), (300, 31), (900, 61))],
        "BLOCKS": [{"T": 1, "BLOCKS": size, **rest} for size in (128, 257, 400)],
    }
    assert "BLOCKS" not in axes.long_cases(replace(contract, axes=CACHE.axes)), "it is never cut"
    assert axes.long_cases(Contract(axes=(Axis(name="H", choices=(1, 900)),), arguments=())) == {}


def test_each_constraint_is_broken_alone() -> None:
    contract = Contract(
        axes=(Axis(name="D", low=1, high=64), Axis(name="N", low=1, high=9)),
        arguments=(),
        constraints=("D % 2 == 0", "N <= D"),
    )
    assert axes.ordinary(contract) == {"D": 6, "N": 3}
    assert axes.broken(contract) == [{"D": 7, "N": 3}, {"D": 2, "N": 3}]


def test_only_sizes_that_nobody_chose_are_tried_beyond_the_contract() -> None:
    guessed = Contract(
        axes=(Axis(name="N", choices=(3, 5)), Axis(name="H", choices=(1, 5, 8)), Axis(name="DT", choices=("float16",))),
        arguments=(),
    )
    found = axes.beyond(guessed, [64])
    assert found["N"][:5] == [0, 1, 2, 7, 33]
    assert {63, 64, 65} <= set(found["N"])
    assert found["DT"] == ["float32", "bfloat16"]
    assert "H" not in found
    assert axes.beyond(Contract(axes=guessed.axes, arguments=(), flops="N"), [64]) == {}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("T", "T: dimension 0 of key and slots. Its edges are 16."),
        ("H", "H: dimension 1 of key; dimension 2 of cache; passed as block."),
        ("D", "D: last dimension of key and cache."),
        ("BLOCKS", "BLOCKS: dimension 0 of cache; bounds the contents of slots."),
        ("DT", "DT: dtype of key and cache; passed as to."),
        ("SCALED", "SCALED: decides whether there is scale."),
    ],
)
def test_an_axis_is_told_by_its_uses(name: str, words: str) -> None:
    axis = next(axis for axis in CACHE.axes if axis.name == name)
    assert axes.meaning(axis, CACHE.arguments) == words


def test_the_leading_axis_counts_rows() -> None:
    assert axes.leading_axis(CACHE) == "T"
    assert axes.rows_each(CACHE, "T") == 'max(1, axes["H"])'
    assert axes.keeps_rows_apart(CACHE, "T")
    assert not axes.keeps_rows_apart(CACHE, "BLOCKS")


def test_a_computed_size_is_evaluated_where_it_is_used() -> None:
    contract = Contract(axes=CACHE.axes, arguments=(Argument(name="x", kind="tensor", shape=("T", "2 * H", "D")),))
    assert axes.rows_each(contract, "T") == 'max(1, int(evaluate("(2 * H)", axes)))'


def test_the_smallest_case_keeps_the_constraints() -> None:
    assert axes.smallest(CACHE, {"T": 40}) == {"T": 40, "H": 1, "D": 64, "BLOCKS": 3, "DT": "bfloat16", "SCALED": False}
    assert axes.smallest(CACHE, {"T": 65_536}) is None


def test_the_profiles_are_those_that_a_harness_knows() -> None:
    assert axes.PROFILES == contents.PROFILES
