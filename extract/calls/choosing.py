"""Which calls become workloads: the heaviest and the most different."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from kmaint.records.call import Call, SeenTensor
from kmaint.records.workload import Binding, Workload

MOST_WORKLOADS = 12


def workloads_of(bindings: Sequence[dict[str, Binding]], calls: Sequence[Call]) -> Iterator[Workload]:
    """The heaviest of the calls and those most unlike it, with their shares of all that are kept."""
    chosen = _choose(bindings, calls)
    total = sum(count for _, _, count in chosen)
    varying = [name for name in chosen[0][0] if len({str(binding[name]) for binding, _, _ in chosen}) > 1]
    for binding, call, count in chosen:
        name = "-".join(f"{axis}{binding[axis]}" for axis in varying) or "only"
        yield Workload(name=name, axes=binding, weight=count / total, origin=call.origin, source=call.source)


def _choose(
    bindings: Sequence[dict[str, Binding]], calls: Sequence[Call]
) -> list[tuple[dict[str, Binding], Call, int]]:
    """The heaviest call, then again and again the one most unlike those chosen; calls of equal binding are one."""
    merged: dict[str, tuple[dict[str, Binding], Call, int]] = {}
    for binding, call in zip(bindings, calls, strict=True):
        _, first, count = merged.get(str(binding), (binding, call, 0))
        merged[str(binding)] = (binding, first, count + call.count)
    left = sorted(merged.values(), key=lambda item: (-item[2] * _elements(item[1]), item[1].source))
    chosen = left[:1]
    while len(chosen) < min(MOST_WORKLOADS, len(left)):
        rest = [item for item in left if item not in chosen]
        chosen.append(max(rest, key=lambda item: min(_distance(item[0], other[0]) for other in chosen)))
    return chosen


def _elements(call: Call) -> int:
    return 1 + sum(math.prod(value.shape) for value in call.arguments.values() if isinstance(value, SeenTensor))


def _distance(one: Mapping[str, Binding], other: Mapping[str, Binding]) -> float:
    total = 0.0
    for name, value in one.items():
        its = other[name]
        if type(value) is int and type(its) is int:
            total += abs(math.log2(1 + abs(value)) - math.log2(1 + abs(its)))
        else:
            total += value != its
    return total
