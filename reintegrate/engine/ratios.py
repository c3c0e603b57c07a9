"""What visits to engines in turns come to: pure arithmetic on the samples of a point, and over points."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Mapping, Sequence

from kmaint.intervals import geometric_mean, interval
from kmaint.records.engine import LEGS, Leg, Point, PointResult, Sample
from kmaint.records.timing import Interval


def orders(legs: Sequence[Leg], rounds: int, *, seed: str) -> Iterator[tuple[Leg, ...]]:
    """Two orders a round, the second the first turned over: what drifts hits every leg alike."""
    draw = random.Random(seed)  # noqa: S311 - seeded so that a run can be repeated
    for _ in range(rounds):
        order = tuple(draw.sample(legs, len(legs)))
        yield order
        yield order[::-1]


def result(point: Point, samples: dict[Leg, tuple[Sample, ...]]) -> PointResult:
    """The two visits of a round are one sample; a ratio pairs the samples of a round."""
    seconds = {leg: _by_round([one.seconds for one in found]) for leg, found in samples.items()}
    first = {leg: _by_round([one.first_s for one in found]) for leg, found in samples.items()}
    token = {leg: _by_round([one.token_s or 0.0 for one in found]) for leg, found in samples.items()}
    known = all(one.token_s for found in samples.values() for one in found)
    compared = token if _measure(point, samples) == "token_s" else seconds
    return PointResult(
        point=point,
        samples=samples,
        throughput=interval(seconds["base"], seconds["patched"]),
        first_token=interval(first["base"], first["patched"]),
        token=interval(token["base"], token["patched"]) if known else None,
        noise=interval(compared["base"], compared["again"]),
        others={leg: interval(compared["base"], found) for leg, found in compared.items() if leg not in LEGS},
    )


def _measure(point: Point, samples: Mapping[Leg, Sequence[Sample]]) -> str:
    """What of a sample is compared, by name: seconds a token in decode, where each visit has them."""
    known = all(one.token_s for found in samples.values() for one in found)
    return "token_s" if point.phase == "decode" and known else "seconds"


def _by_round(visits: Sequence[float]) -> list[float]:
    return [statistics.fmean(pair) for pair in zip(visits[::2], visits[1::2], strict=True)]


def mean_of(points: Sequence[PointResult], leg: Leg) -> Interval:
    """Base over that engine in tokens per second, as the geometric mean over the points."""
    return geometric_mean([(1.0, _ratios(one, leg)) for one in points])


def _ratios(found: PointResult, leg: Leg) -> list[float]:
    name = _measure(found.point, found.samples)
    base, other = (_by_round([getattr(one, name) for one in found.samples[which]]) for which in ("base", leg))
    return [a / b for a, b in zip(base, other, strict=True)]
