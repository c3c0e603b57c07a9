"""The search finds the summit of what has one, with a share of the points, and stops where it is told to."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from kmaint.agent.descent import Point, climb

Landscape = tuple[list[list[float]], Point]


@st.composite
def landscapes(draw: st.DrawFn) -> Landscape:
    """One summit along every axis, and somewhere to start; heights multiply."""
    axes = []
    for size in draw(st.lists(st.integers(1, 7), min_size=1, max_size=4)):
        peak = draw(st.integers(0, size - 1))
        heights = [0.0] * size
        for at in (*range(peak + 1, size), *range(peak - 1, -1, -1)):
            nearer = at - 1 if at > peak else at + 1
            heights[at] = heights[nearer] - draw(st.floats(0.01, 0.5))
        axes.append(heights)
    return axes, tuple(draw(st.integers(0, len(axis) - 1)) for axis in axes)


def height(axes: Sequence[Sequence[float]], point: Point) -> float:
    return math.exp(sum(axis[at] for axis, at in zip(axes, point, strict=True)))


@given(landscapes())
def test_a_single_summit_is_found(landscape: Landscape) -> None:
    axes, start = landscape
    known = climb([len(axis) for axis in axes], start, lambda batch: [height(axes, at) for at in batch], most=10_000)
    assert max(rank for rank in known.values() if rank is not None) == 1.0


def test_a_summit_is_found_with_a_share_of_the_points() -> None:
    """Four axes of seven, the summit in the far corner, three of them without any effect: 2401 points."""
    heights = [[-0.1 * (6 - at) for at in range(7)], [0.0] * 7, [0.0] * 7, [0.0] * 7]
    asked: list[Point] = []

    def rank(batch: Sequence[Point]) -> list[float]:
        asked.extend(batch)
        return [height(heights, at) for at in batch]

    known = climb([7, 7, 7, 7], (0, 3, 3, 3), rank, most=10_000)
    assert max(known, key=lambda at: known[at] or 0.0)[0] == 6
    assert len(asked) == len(set(asked)) < 40


def test_level_ground_is_looked_past_once() -> None:
    """1, 1, 2 is climbed; 1, 1, 1, 2 is not."""
    near = climb([4], (0,), lambda batch: [[1.0, 1.0, 2.0, 1.0][at] for (at,) in batch], most=9)
    far = climb([4], (0,), lambda batch: [[1.0, 1.0, 1.0, 2.0][at] for (at,) in batch], most=9)
    assert near[(2,)] == 2.0 and (3,) not in far


def test_what_is_not_allowed_or_does_not_run_is_gone_around() -> None:
    heights: dict[Point, float] = {(0, 0): 1.0, (0, 1): 1.1, (1, 1): 1.2}

    def rank(batch: Sequence[Point]) -> list[float | None]:
        assert (1, 0) not in batch
        return [heights.get(at) for at in batch]

    known = climb([3, 3], (0, 0), rank, allowed=lambda at: at != (1, 0), most=20)
    assert known[(1, 1)] == 1.2 and known[(2, 1)] is None


@given(landscapes(), st.integers(1, 20))
def test_no_more_is_asked_than_may_be(landscape: Landscape, most: int) -> None:
    axes, start = landscape
    first = [(0,) * len(axes)]
    rounds = []

    def rank(batch: Sequence[Point]) -> list[float]:
        rounds.append(len(batch))
        return [height(axes, at) for at in batch]

    known = climb([len(axis) for axis in axes], start, rank, first=first, most=most)
    assert len(known) == sum(rounds) <= most and next(iter(known)) == start
    assert most == 1 or first[0] in known
