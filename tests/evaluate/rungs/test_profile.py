from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint import wire
from kmaint.evaluate.rungs.profile import (
    LEAVE,
    NEXT_STEP,
    Launch,
    classify,
    estimate_us,
    floor_us,
    profile,
    resident_warps,
    with_counters,
)
from kmaint.records.counters import Counters, KernelCounters
from kmaint.records.evaluation import Environment, Profile, Resources
from kmaint.records.timing import Interval, Timing, WorkloadTiming
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


def timing_of(**us: float) -> Timing:
    one = Interval(ratio=1.0, low=1.0, high=1.0)
    each = tuple(
        WorkloadTiming(workload=name, weight=0.5, original_us=(took,), candidate_us=(took,), speedup=one, noise=one)
        for name, took in us.items()
    )
    return Timing(workloads=each, speedup=one, noise_floor=0.01)


def test_the_least_share_is_of_the_timed_workload_that_is_furthest_and_of_all_of_them_or_none() -> None:
    small = dataclasses.replace(COPY, name="T64", axes={"T": 64}, weight=0.5)
    untimed = dataclasses.replace(COPY, name="odd", axes={"T": 1}, weight=0.0)
    large = dataclasses.replace(COPY, weight=0.5)
    both = dataclasses.replace(CONTRACT, workloads=(large, small, untimed))
    floor = {one.name: floor_us(both, one, HERE) or 0.0 for one in (large, small)}
    times = {"T4096": floor["T4096"] / 0.95, "T64": floor["T64"] / 0.5}
    found = profile([launch()], timing_of(**times), both, HERE)
    assert found.least_fraction == pytest.approx(0.5)
    assert found.roofline_fraction == pytest.approx((0.95 * 0.5) ** 0.5)
    part = profile([launch()], timing_of(T4096=times["T4096"]), both, HERE)
    assert part.roofline_fraction == pytest.approx(0.95)
    assert part.least_fraction is None, "nobody knows how far the other is from it"
    assert profile([launch()], timing_of(**times), dataclasses.replace(both, traffic=""), HERE).least_fraction is None


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
    ("changes", "at_roofline", "bottleneck"),
    [
        ({}, True, "memory"),
        ({"spill_bytes": 64}, False, "occupancy"),
        ({"registers": 255}, False, "occupancy"),
        ({}, False, "latency"),
        ({"load_bits": 128}, False, "memory"),
        ({"load_bits": 128, "instructions": 9000}, False, "compute"),
    ],
)
def test_one_bottleneck(changes: dict[str, int], at_roofline: bool, bottleneck: str) -> None:
    assert classify([launch(**changes)], {"T4096": 100.0}, HERE, at_roofline=at_roofline) == bottleneck


@pytest.mark.parametrize(
    ("programs", "bottleneck"), [(132 * 16, "memory"), (132 * 16 + 1, "imbalance"), (132 * 8, "memory")]
)
def test_a_last_wave_that_is_nearly_empty_is_imbalance(programs: int, bottleneck: str) -> None:
    """Sixteen programs of four warps fill a multiprocessor."""
    one = dataclasses.replace(launch(load_bits=128), programs=programs)
    assert classify([one], {"T4096": 100.0}, HERE, at_roofline=False) == bottleneck


def test_what_only_a_library_computes_is_left_to_it() -> None:
    found = profile([], timing(100.0), CONTRACT, HERE, library=True)
    assert (found.bottleneck, found.next_step) == ("library", NEXT_STEP["library"])


def timing(us: float) -> Timing:
    one = Interval(ratio=1.0, low=1.0, high=1.0)
    workload = WorkloadTiming(
        workload="T4096",
        weight=1.0,
        original_us=(us,),
        candidate_us=(us,),
        speedup=one,
        noise=one,
        eager=one,
        floor_us=16.8,
        control_a_us=(us,),
        control_b_us=(us,),
    )
    return Timing(workloads=(workload,), speedup=one, noise_floor=0.01)


def test_it_is_left_where_the_times_say_that_it_is_at_the_roofline_and_nowhere_else() -> None:
    wide = [launch(load_bits=128)]
    near = profile(wide, timing(17.0), CONTRACT, HERE)
    assert near.next_step == LEAVE.format(near.roofline_fraction)
    assert near.next_step == "leave it: it runs at 99% of the roofline"
    far = profile(wide, timing(40.0), CONTRACT, HERE)
    assert (far.bottleneck, far.next_step) == ("memory", NEXT_STEP["memory"])
    assert "leave" not in far.next_step
    quick = profile(wide, None, dataclasses.replace(CONTRACT, traffic="T * 1638400"), HERE)
    assert "leave" not in quick.next_step, "an estimate is no evidence"


def test_one_workload_that_is_far_from_the_roofline_keeps_it_from_being_left() -> None:
    small = dataclasses.replace(COPY, name="T64", axes={"T": 64}, weight=0.01)
    both = dataclasses.replace(CONTRACT, workloads=(dataclasses.replace(COPY, weight=0.99), small))
    floor = floor_us(both, small, HERE)
    assert floor is not None
    found = profile([launch(load_bits=128)], timing_of(T4096=17.0, T64=floor / 0.3), both, HERE)
    assert found.roofline_fraction is not None and found.roofline_fraction > 0.9
    assert found.next_step == NEXT_STEP[found.bottleneck]
    impossible = profile([launch()], timing(12.0), CONTRACT, HERE)
    assert impossible.roofline_fraction == pytest.approx(16.8 / 12, rel=0.01)
    assert impossible.bottleneck == "latency"
    assert impossible.next_step == NEXT_STEP["latency"], "the traffic is wrong, and not the kernel fast"


def test_without_times_a_profile_says_estimated() -> None:
    found = profile([launch()], None, CONTRACT, HERE)
    assert found.estimated
    assert found.resources == (SMALL,)
    assert found.roofline_fraction is not None
    assert 0 < found.roofline_fraction < 1
    assert found.next_step == NEXT_STEP[found.bottleneck]
    assert profile([], None, CONTRACT, HERE).bottleneck == "unknown"


COUNTERS = Counters(workload="T4096", kernels=(KernelCounters(kernel="copy", launches=1, dram_percent=70.0),))


def test_counters_decide_the_class_and_what_times_alone_said_is_kept() -> None:
    found = profile([launch()], timing(40.0), CONTRACT, HERE)
    counted = with_counters(found, COUNTERS, CONTRACT, HERE)
    assert (found.bottleneck, counted.bottleneck, counted.uncounted) == ("latency", "memory", "latency")
    assert counted.evidence == "DRAM at 70 % of its peak"
    assert counted.next_step != found.next_step
    assert (counted.counters, counted.roofline_fraction) == (COUNTERS, found.roofline_fraction)


def test_what_is_at_the_roofline_is_left_whatever_was_counted() -> None:
    near = profile([launch()], timing(17.0), CONTRACT, HERE)
    assert with_counters(near, COUNTERS, CONTRACT, HERE).next_step == near.next_step


def test_where_counters_say_nothing_and_of_a_library_the_class_stays() -> None:
    found = profile([launch()], timing(40.0), CONTRACT, HERE)
    silent = dataclasses.replace(COUNTERS, kernels=(KernelCounters(kernel="copy", launches=1),))
    assert with_counters(found, silent, CONTRACT, HERE) == dataclasses.replace(found, counters=silent)
    library = profile([], timing(100.0), CONTRACT, HERE, library=True)
    assert with_counters(library, COUNTERS, CONTRACT, HERE) == dataclasses.replace(library, counters=COUNTERS)


def test_bytes_are_held_against_those_of_the_workload_that_was_counted() -> None:
    moved = KernelCounters(
        kernel="copy", launches=1, dram_percent=70.0, dram_read_bytes=2.0 * 4096 * 16384, dram_written_bytes=0.0
    )
    found = profile([launch()], timing(40.0), CONTRACT, HERE)
    twice = with_counters(found, dataclasses.replace(COUNTERS, kernels=(moved,)), CONTRACT, HERE)
    assert twice.evidence == "DRAM at 70 % of its peak, moving 2.0 times the bytes that the call has to"


def test_a_profile_with_counters_comes_back_from_json_and_an_earlier_one_without_them_too() -> None:
    found = with_counters(profile([launch()], timing(40.0), CONTRACT, HERE), COUNTERS, CONTRACT, HERE)
    dumped = wire.dump(found)
    assert wire.load(Profile, dumped) == found
    earlier = {name: value for name, value in dumped.items() if name not in ("counters", "evidence", "uncounted")}
    assert wire.load(Profile, earlier) == dataclasses.replace(found, counters=None, evidence="", uncounted=None)
