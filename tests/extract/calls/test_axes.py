from __future__ import annotations

import pytest

from extract.calls.axes import axis_of, constraints_of
from kmaint.records.workload import Axis, Binding


@pytest.mark.parametrize(
    ("sizes", "axis", "constraints"),
    [
        ((1, 33, 64), Axis(name="n", low=1, high=64, edges=(1, 33, 64)), []),
        ((128, 256, 512), Axis(name="n", choices=(128, 256, 512)), []),
        ((10, 26, 5120), Axis(name="n", low=1, high=64, edges=(10, 26)), ["n % 2 == 0"]),
        ((33, 66, 132), Axis(name="n", choices=(33, 66, 132)), []),
        ((7, 5), Axis(name="n", choices=(5, 7)), []),
        ((True, False), Axis(name="n", choices=(False, True)), []),
    ],
)
def test_a_size_is_free_where_what_was_seen_says_so(
    sizes: tuple[Binding, ...], axis: Axis, constraints: list[str]
) -> None:
    found = axis_of("n", sizes)
    assert found == axis
    assert list(constraints_of([found], [{"n": size} for size in sizes])) == constraints


def test_heads_that_divide_one_another_in_every_call_do_so_in_the_contract() -> None:
    bindings: list[dict[str, Binding]] = [{"h": 8, "kv": 8}, {"h": 32, "kv": 8}, {"h": 32, "kv": 4}]
    axes = [axis_of(name, [binding[name] for binding in bindings]) for name in ("h", "kv")]
    assert list(constraints_of(axes, bindings)) == ["h % kv == 0"]
