"""Each question of the diagnosis, on counters that answer it with yes, and the order they are asked in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.counted import STALLS
from kmaint.evaluate.rungs.diagnosis import BUSY_MEMORY, WAITED_FOR, Seen, diagnose
from kmaint.evaluate.rungs.metrics import METRICS
from kmaint.records.counters import Counters, KernelCounters

CALM = KernelCounters(
    kernel="k",
    launches=1,
    time_us=40.0,
    programs=4096.0,
    dram_read_bytes=3e6,
    dram_written_bytes=1e6,
    dram_percent=30.0,
    l2_percent=20.0,
    l1_percent=20.0,
    multiprocessor_percent=25.0,
    issue_percent=20.0,
    tensor_percent=0.0,
    occupancy_percent=34.0,
    most_occupancy_percent=50.0,
    programs_by_registers=8.0,
    programs_by_shared=32.0,
    waves=3.88,
    warps_per_issue=20.0,
    stalled_long_scoreboard=2.0,
    stalled_short_scoreboard=2.0,
    mean_active_cycles=95.0,
    most_active_cycles=100.0,
)


def seen(*others: KernelCounters, **changes: Any) -> Seen:
    one = replace(CALM, **changes)
    counters = Counters(workload="w", kernels=(one, *others))
    return Seen(longest=one, counters=counters, fewest_bytes=4e6, multiprocessors=132)


@pytest.mark.parametrize(
    ("changes", "bottleneck", "evidence"),
    [
        ({"dram_percent": 81.0}, "memory", "DRAM at 81 % of its peak"),
        (
            {"dram_percent": 81.0, "dram_read_bytes": 7.4e6},
            "memory",
            "DRAM at 81 % of its peak, moving 2.1 times the bytes that the call has to",
        ),
        ({"l2_percent": 72.0, "dram_percent": 41.0}, "memory", "the L2 at 72 % of its peak"),
        ({"l2_percent": 89.0, "dram_percent": 83.0}, "memory", "DRAM at 83 % of its peak"),
        (
            {"l1_percent": 90.0, "sectors_per_load": 31.8},
            "memory",
            "the L1 at 90 % of its peak, 32 sectors a global load",
        ),
        (
            {"l1_percent": 90.0, "bank_conflicts": 60.0, "shared_wavefronts": 100.0},
            "memory",
            "the L1 at 90 % of its peak, 60% of shared accesses are bank conflicts",
        ),
        (
            {"multiprocessor_percent": 75.0, "special_percent": 74.0, "dram_percent": 70.0},
            "compute",
            "multiprocessors at 75 % of their peak, the special pipe at 74 %",
        ),
        ({"programs": 64.0}, "latency", "64 programs for 132 multiprocessors"),
        ({"time_us": 2.1}, "latency", "2.1 us in 1 launch: little more than starting takes"),
        (
            {"mean_active_cycles": 60.0},
            "imbalance",
            "multiprocessors have no work in 40% of the longest one's cycles over 3.88 waves",
        ),
        (
            {"most_occupancy_percent": 12.5},
            "occupancy",
            "at most 12 % of the warps have room, for 8 programs by their registers",
        ),
        (
            {"stalled_long_scoreboard": 12.4},
            "latency",
            "warps wait for global loads in 62% of their time at 34 % occupancy",
        ),
        (
            {"stalled_short_scoreboard": 8.0, "bank_conflicts": 60.0, "shared_wavefronts": 100.0},
            "latency",
            "warps wait for shared memory or special functions in 40% of their time at 34 % occupancy,"
            " and 60% of shared accesses are bank conflicts",
        ),
        (
            {"stalled_math_pipe_throttle": 9.0},
            "compute",
            "warps wait for a busy arithmetic pipe in 45% of their time at 34 % occupancy",
        ),
    ],
)
def test_each_question_names_its_evidence(changes: dict[str, float], bottleneck: str, evidence: str) -> None:
    found = diagnose(seen(**changes))
    assert found is not None
    assert (found.bottleneck, found.evidence) == (bottleneck, evidence)
    assert found.next_step


def test_where_no_counter_speaks_for_a_class_there_is_none() -> None:
    assert diagnose(seen()) is None
    bare = KernelCounters(kernel="k", launches=1)
    counters = Counters(workload="w", kernels=(bare,))
    assert diagnose(Seen(longest=bare, counters=counters, fewest_bytes=None, multiprocessors=132)) is None


def test_bytes_that_move_twice_have_another_step_than_a_memory_that_is_full() -> None:
    full, twice = diagnose(seen(dram_percent=81.0)), diagnose(seen(dram_percent=81.0, dram_read_bytes=7.4e6))
    assert full is not None
    assert twice is not None
    assert full.next_step == BUSY_MEMORY["DRAM"]
    assert twice.next_step.startswith("move each byte once")


def test_of_several_kernels_the_longest_is_named_and_short_is_what_all_take_together() -> None:
    other = replace(CALM, kernel="reduce", time_us=1.0)
    found = diagnose(seen(other, stalled_long_scoreboard=12.4))
    assert found is not None
    assert found.evidence.startswith("k: warps wait for global loads")
    short = diagnose(seen(other, time_us=2.0))
    assert short is not None
    assert (short.evidence, short.next_step) == (
        "k: 3.0 us in 2 launches: little more than starting takes",
        "make one launch of them",
    )


def test_every_reason_to_wait_has_a_step() -> None:
    assert set(WAITED_FOR) == set(STALLS)


COUNTED = st.builds(
    KernelCounters,
    kernel=st.just("k"),
    launches=st.integers(1, 9),
    **{metric.field: st.none() | st.floats(0, 1e6) for metric in METRICS},
)


@given(st.lists(COUNTED, min_size=1, max_size=4), st.none() | st.floats(0, 1e9))
def test_whatever_was_counted_the_answer_is_one_class_with_evidence_or_none(
    kernels: list[KernelCounters], fewest: float | None
) -> None:
    counters = Counters(workload="w", kernels=tuple(kernels))
    found = diagnose(Seen(longest=kernels[0], counters=counters, fewest_bytes=fewest, multiprocessors=132))
    assert found is None or (found.evidence and found.next_step)
