"""What the engines of a comparison are asked in turns, and what is made of their answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from kmaint.errors import UsageError
from kmaint.records.engine import LEGS, Leg, Likeness, Point, PointResult, Sample
from reintegrate.engine.likeness import Said, alike
from reintegrate.engine.ratios import orders, result
from reintegrate.engine.session import Session
from reintegrate.engine.starting import Serving

TELLING_TOKENS = 16
"""Tokens of each sequence whose log-probabilities are compared."""
VOCABULARY = 10_000
"""Prompts are random tokens below this: every served model has as many."""
WAKING_TOKENS = 16
"""Decoded before each visit of a decode point: an engine that stood still meanwhile finds its caches cold."""
BUSY_TOKENS = 64
"""Of a visit in which the device's own records are read, once all else is measured."""
WARM_UP_VISITS = 2
"""The first compiles, captures and fills the prefix cache; the second finds it full, and compiles for that."""

Points = tuple[PointResult, ...]


def measured(
    serving: Serving, sessions: Mapping[Leg, Session], before: Points, keep: Callable[[Points], None]
) -> Points:
    """Every point, and then for how long the device is busy at each; `keep` has those that are there after each step.

    Those of `before` that these very engines were asked for as often are taken as they are.
    """
    found: list[PointResult] = []
    known = {one.point: one for one in before if _fits(one, sessions, serving.rounds)}
    for point in serving.points:
        if point in known:
            serving.progress(f"{point.name}: as it was measured before")
        found.append(known.get(point) or _point(serving, sessions, point))
        keep(tuple(found))
    for number, one in enumerate(found):
        found[number] = _recorded(serving, sessions, one)
        keep(tuple(found))
    return tuple(found)


def _fits(found: PointResult, sessions: Mapping[Leg, Session], rounds: int) -> bool:
    return {leg: len(samples) for leg, samples in found.samples.items()} == dict.fromkeys(sessions, 2 * rounds)


def _point(serving: Serving, sessions: Mapping[Leg, Session], point: Point) -> PointResult:
    samples: dict[Leg, list[Sample]] = {leg: [] for leg in sessions}
    waking = WAKING_TOKENS if point.phase == "decode" else 0  # in prefill the prompts are new
    for session in sessions.values():
        for _ in range(WARM_UP_VISITS):
            session.measure(prompts(point, 0), point.tokens)
    for number, order in enumerate(orders(tuple(sessions), serving.rounds, seed=f"{point.name}")):
        serving.progress(f"{point.name}: round {number // 2 + 1} of {serving.rounds}")
        for leg in order:
            samples[leg].append(sessions[leg].measure(prompts(point, number + 1), point.tokens, waking=waking))
    found = result(point, {leg: tuple(found) for leg, found in samples.items()})
    ratio = found.speed
    serving.progress(f"{point.name}: {ratio.ratio:.3f}x ({ratio.low:.3f} to {ratio.high:.3f})")
    return found


def _recorded(serving: Serving, sessions: Mapping[Leg, Session], found: PointResult) -> PointResult:
    """With how long the device was busy for a token, where it decodes: what no host's pace has a part in."""
    if found.point.phase != "decode" or found.busy_s:
        return found
    serving.progress(f"{found.point.name}: how long the device is busy")
    asked = prompts(found.point, 0)
    busy = {leg: _busy(session, asked) for leg, session in sessions.items()}
    return replace(found, busy_s={leg: seconds for leg, seconds in busy.items() if seconds is not None})


def _busy(session: Session, asked: list[list[int]]) -> float | None:
    """None too where an engine does not outlive its profiler: all else is measured by now."""
    try:
        return session.busy(asked, BUSY_TOKENS, waking=WAKING_TOKENS)
    except UsageError:
        return None


def prompts(point: Point, visit: int) -> list[list[int]]:
    """In decode the same at every visit, so that the prefix cache has them; in prefill new at each."""
    draw = random.Random(f"{point.name} {visit if point.phase == 'prefill' else 0}")  # noqa: S311 - equal for all legs
    return [[draw.randrange(VOCABULARY) for _ in range(point.context)] for _ in range(point.batch)]


def likeness(serving: Serving, sessions: Mapping[Leg, Session]) -> Likeness:
    serving.progress("comparing what the engines say")
    said: dict[Leg, list[Said]] = {
        leg: [
            one
            for point in serving.points
            for one in sessions[leg].say(prompts(point, 0), min(point.tokens, TELLING_TOKENS))
        ]
        for leg in LEGS
    }
    return alike(said, exact=serving.exact)
