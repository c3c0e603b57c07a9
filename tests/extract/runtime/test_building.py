"""The arguments of a case: what lies where, what is in it, and what is around it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from extract.runtime.building import GUARD, build
from extract.runtime.cases import Case, Contract
from extract.runtime.contents import PROFILES
from extract.runtime.layouts import LAYOUTS


def argument(name: str, shape: list[str], **more: Any) -> dict[str, Any]:
    plain = {
        "dtype": "float32",
        "values": "normal",
        "bound": "",
        "layouts": ["contiguous"],
        "strides": [],
        "when": "True",
    }
    return {"name": name, "kind": "tensor", "shape": shape, "value": None, **plain, **more}


CONTRACT = Contract(
    axes={},
    arguments=[
        argument("x", ["T", "D"]),
        argument("w", ["D"], dtype="bfloat16"),
        argument("at", ["T"], dtype="int64", values="index", bound="D"),
    ],
    constraints=[],
    traffic="",
    flops="",
    workloads=[],
)
SMALL = Case(T=3, D=5)


@settings(deadline=None)
@given(layout=st.sampled_from(LAYOUTS), values=st.sampled_from(PROFILES), seed=st.integers(0, 99))
def test_a_layout_changes_no_element(layout: str, values: str, seed: int) -> None:
    case = SMALL.but(values=values, seed=seed)
    plain = build(CONTRACT, case.but(layout="repeated x" if layout == "expanded" else "contiguous"), "cpu")
    moved = build(CONTRACT, case.but(layout=f"{layout} x"), "cpu")
    if layout != "repeated":
        torch.testing.assert_close(moved.arguments["x"], plain.arguments["x"], rtol=0, atol=0, equal_nan=True)
    assert torch.equal(moved.arguments["w"].view(torch.int16), plain.arguments["w"].view(torch.int16))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("around", [0xA5, 0xFF])
def test_all_around_the_elements_is_red_zone(layout: str, around: int) -> None:
    buffer = build(CONTRACT, SMALL.but(layout=f"{layout} x", around=around), "cpu").buffers["x"]
    assert bool((buffer.raw[buffer.outside] == around).all())
    assert int((~buffer.outside).sum()) == (5 if layout == "expanded" else 15) * 4
    assert bool(buffer.outside[: GUARD - 1].all()) and bool(buffer.outside[-GUARD:].all())
    buffer.view.fill_(0.0) if layout != "expanded" else None
    assert bool((buffer.raw[buffer.outside] == around).all())


def test_what_lies_far_apart_takes_no_memory_and_keeps_its_elements_past_32_bits() -> None:
    view = build(CONTRACT, SMALL.but(layout="far x"), "cpu").arguments["x"]
    assert view.stride(0) * 2 > 1 << 31
    assert view.untyped_storage().nbytes() > 8 << 30


def test_another_type_holds_what_the_contract_s_would() -> None:
    plain, wide = (build(CONTRACT, case, "cpu").arguments["w"] for case in (SMALL, SMALL.but(dtypes={"w": "float64"})))
    assert wide.dtype == torch.float64
    assert torch.equal(wide, plain.double())


def test_pokes_other_seeds_and_rolls_change_what_they_name() -> None:
    plain = build(CONTRACT, SMALL, "cpu").arguments
    poked = build(CONTRACT, SMALL.but(pokes=[("x", 16, "-inf"), ("at", 0, "nan"), ("gone", 1, "nan")]), "cpu").arguments
    assert (poked["x"] != plain["x"]).nonzero().tolist() == [[0, 1]]
    assert torch.equal(poked["at"], plain["at"])
    anew = build(CONTRACT, SMALL.but(anew="x"), "cpu").arguments
    assert not torch.equal(anew["x"], plain["x"]) and torch.equal(anew["w"], plain["w"])
    rolled = build(CONTRACT, SMALL.but(rolled={"T": 2}), "cpu").arguments
    assert torch.equal(rolled["x"].roll(-2, 0), plain["x"]) and torch.equal(rolled["w"], plain["w"])


@pytest.mark.parametrize(
    ("twist", "what"),
    [
        ("shorter x 1", lambda x: x.shape == (3, 4)),
        ("deeper x", lambda x: x.shape == (1, 3, 5)),
        ("gaps x", lambda x: x.stride() == (10, 2)),
        ("dtype x", lambda x: x.dtype == torch.int32),
        ("none x", lambda x: x is None),
    ],
)
def test_a_twist_bends_one_argument(twist: str, what: Any) -> None:
    assert what(build(CONTRACT, SMALL.but(twist=twist), "cpu").arguments["x"])


@settings(deadline=None)
@given(
    axes=st.fixed_dictionaries({"T": st.integers(0, 9), "DT": st.sampled_from(["bfloat16", "float32"])}),
    layout=st.sampled_from(["contiguous", "strided x"]),
    pokes=st.lists(st.tuples(st.just("x"), st.integers(0, 9), st.just("nan")), max_size=3),
    around=st.sampled_from([0xA5, 0xFF]),
)
def test_a_case_prints_as_what_builds_it_again(axes: dict[str, Any], **fields: Any) -> None:
    case = Case(**axes, **fields)
    again = eval(repr(case), {"Case": Case})
    assert repr(again) == repr(case) == repr(Case(**case.to_json()))
