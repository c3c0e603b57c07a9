"""How a candidate climbs: rung by rung, until one refuses it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kmaint.evaluate.bench import Bench
from kmaint.evaluate.look import LOOK, Look, Seen
from kmaint.evaluate.rungs.facts import Built
from kmaint.evaluate.screen import Rough
from kmaint.evaluate.timing.measuring import Measured
from kmaint.evaluate.timing.ratios import is_win
from kmaint.records.evaluation import Candidate, Numerics, Profile, Rejection, Rung, RungName
from kmaint.records.harness import Harness
from kmaint.records.timing import Timing


@dataclass
class Climb:
    """One candidate on its way up, and what the rungs found so far."""

    harness: Harness
    candidate: Candidate
    bench: Bench
    scratch: Path
    file: Path
    rungs: list[Rung] = field(default_factory=list)
    built: Built | None = None
    numerics: Numerics | None = None
    measured: Measured | None = None
    profile: Profile | None = None
    rough: Rough = LOOK
    look: Look | None = None
    seen: Seen | None = None
    outrun: Callable[[], str] = str
    """Asked before it is timed: why that need not be, where another has won meanwhile; empty where it does."""

    @property
    def timing(self) -> Timing | None:
        return self.measured.timing if self.measured else None

    @property
    def win(self) -> bool:
        return self.timing is not None and is_win(self.timing)


Step = Callable[[Climb], tuple[Rejection | None, str]]
"""Climbs one rung: the verdict that ends the climb, if any, and what the report says of the rung."""

Group = tuple[tuple[RungName, Step], ...]
"""Rungs none of which needs what another of them found, in their order."""


def one_by_one(*rungs: tuple[RungName, Step]) -> list[Group]:
    """A group for each: it needs those before it, or would not be begun unless they had passed."""
    return [(rung,) for rung in rungs]


def climbed(climb: Climb, groups: Sequence[Group]) -> Rejection | None:
    """Why the climb ends on one of the rungs, each of which is noted; None where it does not."""
    for name, step in itertools.chain.from_iterable(groups):
        climb.bench.progress(name)
        started = time.monotonic()
        rejection, detail = step(climb)
        seconds = time.monotonic() - started
        climb.rungs.append(Rung(name=name, passed=rejection is None, seconds=seconds, detail=detail))
        if rejection is not None:
            return rejection
    return None
