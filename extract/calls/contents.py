"""What kind of content an index tensor holds, from the values that were seen of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from extract.calls.relations import Column
from kmaint.records.call import SeenTensor

WHOLE = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})

PLACES = 1 << 26
"""No tensor of a test or a cache has as many rows, so whole numbers from here on are no places in one."""


def content_of(seen: Sequence[SeenTensor | None], sizes: Mapping[str, Column]) -> tuple[str, str]:
    """The kind, as the harness's runtime names them, and its bound: an expression over `sizes`, or empty."""
    tensors = [one for one in seen if one is not None]
    if all(one.dtype == "bool" for one in tensors):
        return "index", "2"
    if not all(one.dtype in WHOLE for one in tensors):
        return "normal", ""
    known = [one.values for one in tensors if one.values]
    if not known:
        return "zeros", ""
    if all(set(values) == {0} for values in known):
        return "zeros", ""
    if all(set(values) == {1} for values in known):
        return "ones", ""
    if (step := _step(known)) is not None:
        return "arange", str(step)
    if all(_cumulative(values) for values in known):
        return "cumulative", _bound(seen, sizes, above=0)
    if any((one.high or 0) >= PLACES for one in tensors):
        return "index", _bound(seen, sizes, above=1)  # packed words, which are distinct by chance
    distinct = all(len(set(kept := [v for v in values if v >= 0])) == len(kept) for values in known)
    if distinct and any(len(values) > 1 for values in known):
        kind = "permutation" if all((one.low or 0) >= 0 for one in tensors) else "slots"
        return kind, _bound(seen, sizes, above=1)
    if all(len(one.shape) == 1 and (one.low or 0) >= 1 for one in tensors) and _bound(seen, sizes, above=0, exact=True):
        return "lengths", _bound(seen, sizes, above=0, exact=True)
    return "index", _bound(seen, sizes, above=1)


def _step(known: Sequence[tuple[int, ...]]) -> int | None:
    """The one step of 0, step, 2*step ... that all tensors are made of."""
    steps = {values[1] for values in known if len(values) > 1}
    if len(steps) != 1 or (step := steps.pop()) < 1:
        return None
    return step if all(list(values) == [i * step for i in range(len(values))] for values in known) else None


def _cumulative(values: tuple[int, ...]) -> bool:
    return len(values) > 1 and values[0] == 0 and all(a <= b for a, b in itertools.pairwise(values))


def _bound(seen: Sequence[SeenTensor | None], sizes: Mapping[str, Column], *, above: int, exact: bool = False) -> str:
    """The smallest size that is at least the highest value plus `above` in every call; a number where no size is."""
    highs = [None if one is None or one.high is None else one.high + above for one in seen]
    fitting = {
        name: sum(size for size in column if size is not None)
        for name, column in sizes.items()
        if all(h is None or (s is not None and s >= h) for h, s in zip(highs, column, strict=True))
    }
    if exact:
        fitting = {
            name: total
            for name, total in fitting.items()
            if any(h is not None and s == h for h, s in zip(highs, sizes[name], strict=True))
        }
    if fitting:
        return min(fitting, key=lambda name: (fitting[name], name))
    return "" if exact else str(max((h for h in highs if h is not None), default=1))
