from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmaint.evaluate.workers.tracing import busy_us, summary

SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=12)


@given(SPANS)
def test_busy_is_the_time_in_which_anything_ran(spans: list[tuple[int, int]]) -> None:
    records = [(float(start), float(start + length), 7, "kernel") for start, length in spans]
    covered = {at for start, length in spans for at in range(start, start + length)}
    assert busy_us(records) == len(covered)


def test_a_call_has_its_share_of_the_records() -> None:
    records = [(0.0, 2.0, 7, "first"), (2.5, 4.0, 7, "second"), (5.0, 7.0, 7, "first"), (6.5, 9.0, 8, "second")]
    found = summary(records, 2)
    assert found["busy_us"] == pytest.approx((2.0 + 1.5 + 4.0) / 2)
    assert (found["launches"], found["streams"], found["kernels"]) == (2.0, 2, ["first", "second"])
