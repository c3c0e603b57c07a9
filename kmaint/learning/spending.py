"""What a run used up, from its verdicts and events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kmaint import wire
from kmaint.agent import counting, screening, session
from kmaint.records.evaluation import Evaluation, Profile, RungName, wall_s
from kmaint.records.exchange import EXCHANGE, Exchange, Usage
from kmaint.records.run import Run
from kmaint.records.spent import Spent
from kmaint.store import STARTED, Event

ON_DEVICE: frozenset[RungName] = frozenset({"look", "integrity", "device", "numerics", "time", "sanitizer", "profile"})
"""The rungs that hold the GPU, where there is one: the last for the counters of a win."""

FROM_OUTSIDE = frozenset({"scripted", "handoff"})
"""Providers of files that somebody else wrote: what that took is never known."""


def spent(run: Run, events: Sequence[Event]) -> Spent:
    """What the run's candidates and exchanges took."""
    exchanges = [wire.load(Exchange, event.payload) for event in events if event.kind == EXCHANGE]
    unsaid = not exchanges and any(one.candidate.provider != "builtin" for one in run.evaluations)
    used = sum((one.usage for one in exchanges), Usage())
    return Spent(
        candidates=len(run.evaluations),
        usage=replace(used, cost_usd=None) if unsaid or run.provider in FROM_OUTSIDE else used,
        faults=sum(bool(one.fault) for one in exchanges),
        device_minutes=(sum(map(_judged_s, run.evaluations)) + sum(map(_beside_s, events))) / 60,
        wall_minutes=_wall_minutes(events),
    )


def _judged_s(evaluation: Evaluation) -> float:
    if evaluation.environment.device is None:
        return 0.0
    return wall_s(evaluation.rungs, ON_DEVICE)


def _beside_s(event: Event) -> float:
    """For how long what was done beside the gate held the GPU: rough ranks, and profiles. Older runs do not say."""
    match event.kind:
        case screening.TABLE:
            return sum(rank.seconds or 0.0 for rank in screening.remembered([event.payload]).values())
        case counting.COUNTED:
            return sum(profile.device_s or 0.0 for profile in counting.taken([event.payload]).values())
        case session.BASELINE:
            return wire.load(Profile, event.payload).device_s or 0.0
        case _:
            return 0.0


def _wall_minutes(events: Sequence[Event]) -> float | None:
    """From each start to the last event before the next: the time between a kill and its resumption is not counted.

    Of processes that work on a run at once the time counts once.
    """
    sittings: list[list[datetime]] = [[]]
    for event in events:
        if event.kind == STARTED:
            sittings.append([])
        sittings[-1].append(datetime.fromisoformat(event.at))
    sat = [(times[-1] - times[0]).total_seconds() for times in sittings if times]
    return sum(sat) / 60 if sat else None
