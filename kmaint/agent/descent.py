"""Search on a grid with few questions: outwards from the best point known, each way for as long as it gets better."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Point = tuple[int, ...]

Rank = Callable[[Sequence[Point]], Sequence[float | None]]
"""Higher is better; None where a point cannot be ranked. Asked in batches, since a batch costs little more than one."""

LEVEL = 0.005
"""A step that changes the rank by less is on level ground."""


def climb(
    sizes: Sequence[int],
    start: Point,
    rank: Rank,
    *,
    allowed: Callable[[Point], bool] = lambda _point: True,
    first: Sequence[Point] = (),
    most: int,
) -> Mapping[Point, float | None]:
    """Everything that was ranked, `start` among it. `first` are points worth knowing from the beginning.

    A round is one batch: the neighbours of the best point along the axes that have mattered, and a step past those on
    level ground; where that brings nothing new, its neighbours along all axes, then the corners between two axes. The
    end is where those are no better either, or `most` points have been ranked. Where no axis turns another's best
    value, the summit is found.
    """
    known: dict[Point, float | None] = {}
    axes = range(len(sizes))

    def ask(points: Iterable[Point]) -> bool:
        inside = [point for point in dict.fromkeys(points) if _inside(point, sizes) and point not in known]
        batch = [point for point in inside if point == start or allowed(point)][: max(most - len(known), 0)]
        if batch:
            known.update(zip(batch, rank(batch), strict=True))
        return bool(batch)

    ask([start, *first, *_beside(start, axes)])
    while True:
        best = _best(known, start)
        alive = [axis for axis in axes if not _flat(known, axis)]
        rounds = (
            itertools.chain(_beside(best, alive), _onward(known, best, alive)),
            _beside(best, axes),
            _corners(best, [axis for axis in alive if _matters(known, best, axis)]),
        )
        if not any(ask(points) for points in rounds):
            return known


def _inside(point: Point, sizes: Sequence[int]) -> bool:
    return all(0 <= at < size for at, size in zip(point, sizes, strict=True))


def _best(known: Mapping[Point, float | None], start: Point) -> Point:
    ranked = [(rank, point) for point, rank in known.items() if rank is not None]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else start


def _moved(point: Point, axis: int, by: int) -> Point:
    return (*point[:axis], point[axis] + by, *point[axis + 1 :])


def _beside(point: Point, axes: Iterable[int]) -> Iterator[Point]:
    for axis in axes:
        yield _moved(point, axis, 1)
        yield _moved(point, axis, -1)


def _onward(known: Mapping[Point, float | None], best: Point, axes: Iterable[int]) -> Iterator[Point]:
    """One step past each neighbour on level ground: there may be a rise behind it."""
    for axis, by in itertools.product(axes, (1, -1)):
        if _is_level(known, best, _moved(best, axis, by)):
            yield _moved(best, axis, 2 * by)


def _corners(point: Point, axes: Sequence[int]) -> Iterator[Point]:
    for one, two in itertools.combinations(axes, 2):
        for by, also in itertools.product((1, -1), repeat=2):
            yield _moved(_moved(point, one, by), two, also)


def _flat(known: Mapping[Point, float | None], axis: int) -> bool:
    """Whether an axis changed nothing, both ways, wherever both ways from a point are known."""
    sides = [(point, _moved(point, axis, 1), _moved(point, axis, -1)) for point in known]
    sides = [(point, up, down) for point, up, down in sides if up in known and down in known]
    return bool(sides) and all(
        _is_level(known, point, up) and _is_level(known, point, down) for point, up, down in sides
    )


def _matters(known: Mapping[Point, float | None], best: Point, axis: int) -> bool:
    """Whether a neighbour along an axis is known to be worse."""
    near = [_moved(best, axis, by) for by in (1, -1)]
    return any(point in known and not _is_level(known, best, point) for point in near)


def _is_level(known: Mapping[Point, float | None], best: Point, point: Point) -> bool:
    summit, rank = known.get(best), known.get(point)
    return summit is not None and rank is not None and abs(rank / summit - 1.0) < LEVEL
