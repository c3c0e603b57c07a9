"""Counters in words: what was not given is not told, and a zero is."""

from __future__ import annotations

from kmaint.counted import lines, shares
from kmaint.evaluate.rungs.metrics import read_table
from kmaint.records.counters import Counters, KernelCounters
from tests.standing_in import TABLE


def test_a_table_in_words() -> None:
    first, second, third = lines(Counters(workload="T4096", kernels=read_table(TABLE.read_text())))
    assert first == "counted by hardware in one call on T4096, caches cold"
    assert second == (
        "merge_state_kernel, 13.2 us: DRAM 81 %, L2 45 %, L1 30 %, multiprocessors 22 %, issue slots 18 %; "
        "tensor 0 %, fma 4 %, alu 9 %, special 3 %; occupancy 34 % of at most 50 %, 4096 programs in 3.88 waves; "
        "warps wait for global loads 62%, the instruction before 13%, barriers 6%; "
        "33.55 MB read and 16.78 MB written, 33 % hits in the L2, 4.0 sectors a global load, "
        "0% of shared accesses are bank conflicts"
    )
    assert third.startswith("reduce_kernel x 2, 4.2 us: DRAM 13 %")
    assert "bank conflicts" not in third


def test_what_was_not_given_is_left_out() -> None:
    bare = tuple(KernelCounters(kernel=f"k{n}", launches=1) for n in range(5))
    assert lines(Counters(workload="w", kernels=bare))[1:] == [
        *(f"k{n}: nothing" for n in range(3)),
        "and 2 shorter kernels",
    ]


def test_shares_are_of_the_time_between_two_instructions_the_largest_first() -> None:
    one = KernelCounters(
        kernel="k", launches=1, warps_per_issue=10.0, stalled_wait=1.0, stalled_barrier=4.0, stalled_lg_throttle=None
    )
    assert shares(one) == {"stalled_barrier": 0.4, "stalled_wait": 0.1}
    assert list(shares(one)) == ["stalled_barrier", "stalled_wait"]
    assert shares(KernelCounters(kernel="k", launches=1, stalled_wait=1.0)) == {}
