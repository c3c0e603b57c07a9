"""Contracts from calls: written cases of each relation, and random contracts found again from their own calls."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract.calls.reproducing import reproduces
from extract.calls.solve import solve
from extract.derived import NotDerivable
from kmaint.expression import evaluate
from kmaint.records.call import Call, Seen, SeenDtype, SeenObject, SeenSequence, SeenTensor
from kmaint.records.workload import Argument, Axis, Contract


def tensor(
    *shape: int, dtype: str = "bfloat16", stride: tuple[int, ...] = (), values: tuple[int, ...] = ()
) -> SeenTensor:
    laid_out = stride or tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
    kept = {"values": values, "low": min(values), "high": max(values)} if values else {}
    return SeenTensor(shape=shape, stride=laid_out, dtype=dtype, **kept)  # type: ignore[arg-type]


def call(count: int = 1, **arguments: Seen) -> Call:
    return Call(launcher="a.py::f", arguments=arguments, count=count, origin="framework test", source=f"t[{count}]")


def solved(*calls: Call, names: dict[tuple[str, int], str] | None = None) -> dict[str, Argument]:
    contract = solve(calls, list(calls[0].arguments), names=names)
    assert len(contract.workloads) == len(calls)
    return {argument.name: argument for argument in contract.arguments}


def test_equal_sizes_are_one_axis_under_the_launchers_name() -> None:
    sizes = [(3, 64), (7, 128), (9, 64)]
    calls = [call(x=tensor(m, n), out=tensor(m, n), rows=m) for m, n in sizes]
    found = solved(*calls, names={("x", 1): "N"})
    assert found["x"].shape == found["out"].shape == ("rows", "N")
    assert found["rows"].value == "=rows"


@pytest.mark.parametrize(
    ("wanted", "sizes"),
    [
        ("2 * x_0", [(4, 8), (6, 12)]),
        ("x_0 + 1", [(4, 5), (6, 7)]),
        ("next_power_of_2(x_0)", [(5, 8), (16, 16), (3, 4)]),
    ],
)
def test_a_size_that_follows_from_another_is_no_axis(wanted: str, sizes: list[tuple[int, int]]) -> None:
    found = solved(*(call(x=tensor(a), y=tensor(b)) for a, b in sizes))
    assert found["y"].shape == (wanted,)


def test_products_and_quotients_of_two_are_found() -> None:
    sizes = [(3, 4, 100), (5, 8, 64), (7, 2, 33)]
    calls = [call(q=tensor(t, h), flat=tensor(t * h), n=n, blocks=-(-n // h)) for t, h, n in sizes]
    found = solved(*calls)
    assert found["flat"].shape == ("q_1 * q_0",)


def test_scalars_are_constant_an_axis_a_choice_or_a_scale() -> None:
    calls = [call(x=tensor(3, d), scale=d**-0.5, eps=1e-6, flag=flag) for d, flag in [(64, True), (128, False)]]
    found = solved(*calls)
    assert found["scale"].value == "=1 / sqrt(x_1)"
    assert found["eps"].value == 1e-6
    assert found["flag"].value == "=flag"


def test_an_optional_tensor_has_its_own_switch() -> None:
    found = solved(call(x=tensor(3), b=None), call(x=tensor(4), b=tensor(4)))
    assert found["b"].when == "has_b"
    assert found["b"].shape == ("x_0",)


def test_dtypes_that_vary_together_are_one_axis() -> None:
    kinds = ("bfloat16", "float16")
    found = solved(
        *(call(x=tensor(3, dtype=one), s=tensor(1, dtype="float32"), d=SeenDtype(dtype=one)) for one in kinds)
    )
    assert found["x"].dtype == "DT"
    assert found["s"].dtype == "float32"
    assert found["d"].value == {"dtype": "DT"}


def test_views_keep_their_strides() -> None:
    calls = [call(x=tensor(m, 64, stride=(192, 1)), t=tensor(64, m, stride=(1, 64))) for m in (3, 5)]
    found = solved(*calls)
    assert found["x"].strides == ("192", "1")
    assert found["t"].strides == ("1", "x_1")


def test_widths_of_rows_that_vary_are_an_axis() -> None:
    found = solved(*(call(x=tensor(3, d, stride=(row, 1))) for d, row in [(64, 1000), (64, 2000), (32, 1100)]))
    assert found["x"].strides == ("x_stride_0", "1")


@pytest.mark.parametrize(
    ("values", "kind", "bound"),
    [
        ((0, 3, 3, 7), "cumulative", "T"),
        ((4, 0, 6, 2), "permutation", "T"),
        ((4, -1, 6, 2), "slots", "T"),
        ((7, 3, 7, 1), "lengths", "T"),
        ((0, 0, 6, 2), "index", "T"),
        ((0, 2, 4, 6), "arange", "2"),
        ((0, 0, 0, 0), "zeros", ""),
        ((1, 1, 1, 1), "ones", ""),
    ],
)
def test_index_tensors_get_their_kind_and_bound(values: tuple[int, ...], kind: str, bound: str) -> None:
    calls = [
        call(T=7, x=tensor(7), i=tensor(4, dtype="int32", values=values)),
        call(T=9, x=tensor(9), i=tensor(4, dtype="int32", values=values)),
    ]
    found = solved(*calls)["i"]
    assert (found.values, found.bound) == (kind, bound)


def test_the_heaviest_and_the_most_different_become_workloads() -> None:
    calls = [call(count=50 if m == 512 else 1, x=tensor(m, 64)) for m in range(1, 600)]
    contract = solve(calls, ["x"])
    assert len(contract.workloads) == 12
    assert contract.workloads[0].axes["x_0"] == 512
    assert {1, 3, 7, 15, 31, 63} <= {workload.axes["x_0"] for workload in contract.workloads}
    assert sum(workload.weight for workload in contract.workloads) == pytest.approx(1)
    assert contract.axes[-1] == Axis(name="x_0", low=1, high=64, edges=tuple(range(1, 9)))


def test_calls_of_another_form_are_left_out() -> None:
    calls = [call(x=tensor(3)), call(x=tensor(4)), call(x=tensor(3, 4)), call(x=SeenObject(type="Layer"))]
    assert len(solve(calls, ["x"]).workloads) == 2
    with pytest.raises(NotDerivable, match="none of 1 calls seen has arguments that a harness can make"):
        solve(calls[3:], ["x"])


FORMS = ("{0}", "{1}", "2 * {0}", "{0} + 1", "{0} * {1}", "next_power_of_2({1})", "3")
SIZES = st.lists(st.sampled_from(FORMS), min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_random_contracts_calls_are_reproduced_and_its_equalities_kept(data: st.DataObject) -> None:
    shapes = data.draw(st.lists(SIZES, min_size=1, max_size=4))
    pairs = data.draw(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=6, unique=True))
    calls = []
    for a, b in pairs:
        made: dict[str, Seen] = {"n": a, "pair": SeenSequence(items=(a, b))}
        for i, shape in enumerate(shapes):
            sizes = [evaluate(form.format("a", "b"), {"a": a, "b": b}) for form in shape]
            made[f"t{i}"] = tensor(
                *(int(size) for size in sizes), dtype=data.draw(st.sampled_from(["float16", "int8"]))
            )
        calls.append(replace(call(), arguments=made))
    contract = solve(calls, list(calls[0].arguments))
    for one in calls:
        assert any(reproduces(contract.arguments, workload.axes, one) for workload in contract.workloads)
    _equalities_hold(contract, calls)


def _equalities_hold(contract: Contract, calls: list[Call]) -> None:
    """Whatever two sizes were equal in every call are one expression, so no binding of the axes tells them apart."""
    expressions: dict[tuple[int, ...], set[str]] = {}
    for argument in contract.arguments:
        for i, expression in enumerate(argument.shape):
            seen = [one.arguments[argument.name] for one in calls]
            column = tuple(value.shape[i] for value in seen if isinstance(value, SeenTensor))
            expressions.setdefault(column, set()).add(expression)
    assert all(len(found) == 1 for found in expressions.values())


def test_a_call_says_what_was_not_reproduced() -> None:
    contract = solve([call(x=tensor(3, 4))], ["x"])
    (workload,) = contract.workloads
    assert reproduces(contract.arguments, workload.axes, call(x=tensor(3, 4)))
    for other in (tensor(4, 4), tensor(3, 4, dtype="float16"), tensor(3, 4, stride=(8, 1))):
        assert not reproduces(contract.arguments, workload.axes, call(x=other))
    assert replace(workload, weight=1.0) == workload


def test_a_name_that_says_which_size_it_is_goes_before_one_that_does_not() -> None:
    calls = [replace(call(x=tensor(m, 64)), source=f"tests/a.py::test_x[num_tokens={m}-n=64]") for m in (3, 7)]
    assert solve(calls, ["x"], names={("x", 0): "m_", ("x", 1): "n"}).arguments[0].shape == ("num_tokens", "n")
