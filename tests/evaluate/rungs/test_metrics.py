"""ncu's table as records: units, numbers that are not there, and one record of many launches."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.counted import shares
from kmaint.evaluate.rungs.metrics import METRICS, asked_for, merged, number_of, read_table
from kmaint.records.counters import KernelCounters
from tests.standing_in import TABLE


def test_each_field_is_asked_for_once_and_no_name_twice() -> None:
    numbers = {field.name for field in dataclasses.fields(KernelCounters)} - {"kernel", "launches"}
    assert {metric.field for metric in METRICS} == numbers
    assert len(METRICS) == len(numbers)
    names = asked_for().split(",")
    assert len(names) == len(set(names))


def test_a_table_is_read_by_kernel_the_longest_first() -> None:
    first, second = read_table(TABLE.read_text())
    assert (first.kernel, first.launches) == ("merge_state_kernel", 1)
    assert first.time_us == pytest.approx(13.216)
    assert (first.dram_read_bytes, first.dram_percent, first.programs) == (33554432.0, 81.25, 4096.0)
    assert (second.kernel, second.launches) == ("reduce_kernel", 2)
    assert second.time_us == pytest.approx(4.192)
    assert second.dram_read_bytes == 2 * 1048576.0


def test_a_page_of_the_tool_itself_fills_every_field() -> None:
    """ncu 2025.3.1 on an H200: vLLM's _min_p_kernel on 256 rows of 151,936, one warp group a row."""
    (found,) = read_table((TABLE.parent / "h200.csv").read_text())
    assert (found.kernel, found.launches, found.programs) == ("_min_p_kernel", 1, 256.0)
    assert found.time_us == pytest.approx(174.976, rel=0.01)
    assert [field.name for field in dataclasses.fields(found) if getattr(found, field.name) is None] == []
    assert found.dram_read_bytes == pytest.approx(256 * 151_936 * 4, rel=0.01)
    assert sum(shares(found).values()) == pytest.approx(0.95, abs=0.05)


def test_what_is_not_available_is_absent_and_what_is_zero_is_not() -> None:
    _, second = read_table(TABLE.read_text())
    assert (second.bank_conflicts, second.programs_by_shared) == (None, None)
    assert (second.shared_wavefronts, second.tensor_percent) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("unit", "time_us"),
    [("ns", 2.5), ("nsecond", 2.5), ("us", 2500.0), ("second", 2.5e9), ("fortnight", None), ("", None)],
)
def test_a_time_is_in_microseconds_whatever_its_unit_and_absent_in_an_unknown_one(
    unit: str, time_us: float | None
) -> None:
    text = f'"ID","Kernel Name","gpu__time_duration.sum"\n"","","{unit}"\n"0","k","2500"\n'
    (found,) = read_table(text)
    assert found.time_us == (None if time_us is None else pytest.approx(time_us))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "==WARNING== No kernels were profiled.\n",
        '"ID","Kernel Name","gpu__time_duration.sum"\n"","","ns"\n',
        '"0","k","2500"\n',
        '"ID","Kernel Name","gpu__time_duration.sum"\n"","","ns"\n"0","cut off\n',
    ],
    ids=["nothing", "words", "no launch", "no names", "cut off"],
)
def test_without_a_whole_row_there_is_no_kernel(text: str) -> None:
    assert read_table(text) == ()


def test_what_a_release_calls_otherwise_is_found_by_its_other_name() -> None:
    column = "gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed"
    (found,) = read_table(f'"ID","Kernel Name","{column}"\n"","","%"\n"0","k","71.5"\n')
    assert found.dram_percent == 71.5


@given(st.floats(0, 1e15))
def test_a_number_with_separators_is_that_number(value: float) -> None:
    assert number_of(f"{value:,.6f}") == float(f"{value:.6f}")


@given(st.text(max_size=8))
def test_any_other_cell_is_a_finite_number_or_absent(text: str) -> None:
    found = number_of(text)
    assert found is None or math.isfinite(found)


NUMBER = st.none() | st.just(0.0) | st.floats(1e-6, 1e9)
LAUNCH = st.builds(
    KernelCounters,
    kernel=st.just("k"),
    launches=st.just(1),
    **{metric.field: st.floats(0.1, 1e6) if metric.field == "time_us" else NUMBER for metric in METRICS},
)


@given(st.lists(LAUNCH, min_size=1, max_size=6))
def test_a_sum_is_whole_or_absent_and_a_mean_lies_among_its_parts(launches: list[KernelCounters]) -> None:
    found = merged(launches)
    assert found.launches == len(launches)
    for metric in METRICS:
        parts = [getattr(one, metric.field) for one in launches]
        value, known = getattr(found, metric.field), [part for part in parts if part is not None]
        if metric.merged == "sum":
            assert value == (None if None in parts else pytest.approx(sum(known)))
        elif not known:
            assert value is None
        else:
            assert min(known) * (1 - 1e-9) <= value <= max(known) * (1 + 1e-9)


@given(LAUNCH)
def test_one_launch_is_itself(launch: KernelCounters) -> None:
    found = merged([launch])
    for field in dataclasses.fields(KernelCounters):
        value = getattr(launch, field.name)
        assert getattr(found, field.name) == (pytest.approx(value) if isinstance(value, float) else value)


def test_the_launch_that_takes_longer_weighs_more() -> None:
    launches = [
        KernelCounters(kernel="k", launches=1, time_us=9.0, dram_percent=80.0),
        KernelCounters(kernel="k", launches=1, time_us=1.0, dram_percent=10.0),
    ]
    assert merged(launches).dram_percent == pytest.approx(73.0)
