from __future__ import annotations

from collections.abc import Callable

import pytest

Planted = Callable[[str, str, str], list[str]]


def test_a_mask_by_position_is_dropped_with_the_value_for_its_lanes(planted: Planted) -> None:
    assert planted("mask_dropped", "kernel", "v = tl.load(x, n > 0, 0.0)\n") == ["v = tl.load(x, None, None)"]
    assert planted("mask_dropped", "kernel", "v = tl.load(x, mask=None)\ntl.store(x, v)\n") == []


@pytest.mark.parametrize(("sign", "other"), [("<", "<="), ("<=", "<"), (">", ">="), (">=", ">")])
def test_a_boundary_takes_in_or_leaves_out_its_own_element(planted: Planted, sign: str, other: str) -> None:
    assert planted("boundary", "kernel", f"m = x {sign} n\n") == [f"m = (x) {other} (n)"]
    assert planted("boundary", "kernel", "m = x == n\nk = 0 < x < n\n") == []


def test_in_a_kernel_masked_lanes_and_accumulators_hold_something(planted: Planted) -> None:
    body = "v = tl.load(x, mask=n > 0, other=0)\nw = tl.load(x, mask=n > 0, other=float('-inf'))\na = tl.zeros((4,))\n"
    assert sorted(planted("missing_zero", "kernel", body)) == [
        "a = (tl.zeros((4,)) + 1)",
        "v = tl.load(x, mask=n > 0, other=1)",
        "w = tl.load(x, mask=n > 0, other=0)",
    ]


def test_a_launcher_allocates_without_clearing(planted: Planted) -> None:
    body = "a = torch.zeros(n)\nb = x.new_zeros(n)\nb.zero_()\nc = torch.ones(n)\n"
    assert planted("missing_zero", "host", body) == ["a = torch.empty(n)", "b = x.new_empty(n)", "pass"]
