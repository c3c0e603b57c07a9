from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.evaluate.rungs.profile import (
    NEXT_STEP,
    Launch,
    classify,
    estimate_us,
    floor_us,
    profile,
    resident_warps,
)
from kmaint.records.evaluation import Environment, Resources
from kmaint.records.workload import Contract, Workload

HERE = Environment(
    device="a card",
    device_uuid=None,
    arch="sm_90",
    driver=None,
    python="3.12",
    torch="2.11.0",
    triton="3.6.0",
    cuda="13.0",
    platform="Linux",
    multiprocessors=132,
    l2_bytes=50 << 20,
    memory_bandwidth_gbps=4000.0,
)
COPY = Workload(name="T4096", axes={"T": 4096}, weight=1.0, origin="derived", source="a copy")
CONTRACT = Contract(axes=(), arguments=(), traffic="T * 16384", flops="T", workloads=(COPY,))
SMALL = Resources(
    kernel="copy",
    arch="sm_90",
    registers=24,
    shared_bytes=0,
    spill_bytes=0,
    load_bits=32,
    store_bits=32,
    instructions=100,
    num_warps=4,
    num_stages=3,
    workload="T4096",
)


def changed(**changes: int) -> Resources:
    return Resources(**{**vars(SMALL), **changes})


def launch(**changes: Any) -> Launch:
    return Launch(resources=changed(**changes), programs=4096, loads=2, constants={})


def test_the_floor_is_bytes_over_bandwidth() -> None:
    assert floor_us(CONTRACT, COPY, HERE) == pytest.approx(4096 * 16384 / 4e6)
    assert floor_us(dataclasses.replace(CONTRACT, traffic=""), COPY, HERE) is None
    heavy = dataclasses.replace(CONTRACT, flops="T * 1000000000")
    assert floor_us(heavy, COPY, HERE) == pytest.approx(4096e9 / 780e6)


@pytest.mark.parametrize(
    ("changes", "warps"),
    [({}, 64), ({"registers": 128}, 16), ({"shared_bytes": 100 * 1024}, 8), ({"num_warps": 1}, 32)],
)
def test_resident_warps(changes: dict[str, Any], warps: int) -> None:
    assert resident_warps(changed(**changes)) == warps


@given(st.sampled_from([8, 16, 32, 64]), st.integers(1, 8))
def test_wider_or_more_loads_never_estimate_slower(bits: int, loads: int) -> None:
    def us(bits: int, loads: int) -> float:
        return estimate_us(dataclasses.replace(launch(load_bits=bits), loads=loads), 64e6, HERE)

    assert us(2 * bits, loads) <= us(bits, loads)
    assert us(bits, loads + 1) <= us(bits, loads)


def test_no_estimate_beats_the_floor() -> None:
    assert estimate_us(launch(load_bits=128), 4096 * 16384.0, HERE) > 4096 * 16384 / 4e6


@pytest.mark.parametrize(
    ("changes", "fraction", "bottleneck"),
    [
        ({}, 0.9, "memory"),
        ({"spill_bytes": 64}, 0.3, "occupancy"),
        ({"registers": 255}, 0.3, "occupancy"),
        ({}, 0.3, "latency"),
        ({"load_bits": 128}, 0.5, "memory"),
        ({"load_bits": 128, "instructions": 9000}, 0.3, "compute"),
    ],
)
def test_one_bottleneck(changes: dict[str, int], fraction: float, bottleneck: str) -> None:
    assert classify([launch(**changes)], {"T4096": 100.0}, fraction, HERE) == bottleneck


def test_without_times_a_profile_says_estimated() -> None:
    found = profile([launch()], None, CONTRACT, HERE)
    assert found.estimated
    assert found.resources == (SMALL,)
    assert found.roofline_fraction is not None
    assert 0 < found.roofline_fraction < 1
    assert found.next_step == NEXT_STEP[found.bottleneck]
    assert profile([], None, CONTRACT, HERE).bottleneck == "unknown"
