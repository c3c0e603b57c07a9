"""How a candidate climbs: group by group, and in a group side by side where there are processors to spare for it."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kmaint.evaluate.bench import Bench, side_by_side
from kmaint.evaluate.look import LOOK, Look, Seen
from kmaint.evaluate.rungs.facts import Built
from kmaint.evaluate.screen import Rough
from kmaint.evaluate.timing.measuring import Measured
from kmaint.evaluate.timing.ratios import is_win
from kmaint.records.evaluation import Candidate, Numerics, Profile, Rejection, Rung, RungName
from kmaint.records.harness import Harness
from kmaint.records.timing import Timing
from kmaint.stop import Stop, Stopped

TO_SPARE = 4
"""Processors of one candidate from which on rungs are climbed side by side: one for each that judges results. With
fewer these would wait for one another, and other candidates for what comes to nothing behind a rung that refuses."""
BY_THEMSELVES: tuple[RungName, ...] = ("time",)
"""Rungs for which it is nothing what the original does as well."""
MOSTLY = 2
"""Of rungs that are climbed side by side, so many are mostly at work: others have ended, or wait for a compiler."""


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
    wrong: Rejection | None = None
    seen: Seen | None = None
    outrun: Callable[[], str] = str
    """Asked before it is timed: why that need not be, where another has won meanwhile; empty where it does."""

    @property
    def timing(self) -> Timing | None:
        return self.measured.timing if self.measured else None

    @property
    def win(self) -> bool:
        return self.timing is not None and is_win(self.timing)


Step = Callable[[Climb, Bench], tuple[Rejection | None, str]]
"""Climbs one rung on that share of the bench: the verdict that ends the climb, if any, and what the report says of it.
Stopped where it was let go of."""

Group = tuple[tuple[RungName, Step], ...]
"""Rungs none of which needs what another of them found, in their order. The first alone may let codes pass that the
others are to let pass as well (`Bench.exempt`)."""


def one_by_one(*rungs: tuple[RungName, Step]) -> list[Group]:
    """A group for each: it needs those before it, or would not be begun unless they had passed."""
    return [(rung,) for rung in rungs]


def climbed(climb: Climb, groups: Sequence[Group]) -> Rejection | None:
    """Why the climb ends on one of the rungs, each of which is noted up to there; None where it does not.

    However the groups are climbed, all is as if each rung had been begun when the one before it had passed: who
    refuses first in order has the word, and what a rung raises is raised only if none before it refused.
    """
    for group in groups:
        for ended in _ends(climb, group):
            if isinstance(ended, Exception):
                raise ended
            climb.rungs.append(ended.rung)
            if ended.rejection is not None:
                return ended.rejection
    return None


@dataclass(frozen=True)
class End:
    """How one rung was left: with a verdict that ends the climb, or without."""

    rung: Rung
    rejection: Rejection | None


def _ends(climb: Climb, group: Group) -> Iterator[End | Exception]:
    """How each rung of the group is left, in order; where nothing is spared, none is begun before it is asked for.

    Where the first found more that the original does too, the others asked too much of the candidate, or of the
    original: they are climbed again, but for those `BY_THEMSELVES` that were not let go of.
    """
    if len(group) == 1 or climb.bench.threads < TO_SPARE:
        for rung in group:
            yield from _at_once(climb, (rung,))
        return
    before = set(climb.bench.exempt(climb.harness))
    first, *others = _at_once(climb, group)
    yield first
    if climb.bench.exempt(climb.harness) != before:
        pairs = zip(group[1:], others, strict=True)
        again = [rung for rung, end in pairs if rung[0] not in BY_THEMSELVES or isinstance(end, Stopped)]
        ends = dict(zip(again, _at_once(climb, tuple(again), learning=False) if again else (), strict=True))
        others = [ends.get(rung, end) for rung, end in zip(group[1:], others, strict=True)]
    yield from others


def _at_once(climb: Climb, group: Group, *, learning: bool = True) -> list[End | Exception]:
    """Climb them side by side; what is begun behind one that refuses is let go of, and comes to nothing.

    `learning` where the first may find that the original does as well what another refuses.
    """
    climb.bench.progress(", ".join(name for name, _ in group))
    ends = side_by_side(Abreast(climb, group, learning=learning), range(len(group)))
    return [ends[0], *(_beside(one) for one in ends[1:])]


class Abreast:
    """Rungs of one group that are climbed at once, each on its share of the processors."""

    def __init__(self, climb: Climb, group: Group, *, learning: bool) -> None:
        self._climb, self._group, self._learning, self._lock = climb, group, learning, threading.Lock()
        self._stops, self._ends = [Stop() for _ in group], dict[int, End | Exception]()
        self._share = max(1, climb.bench.threads // min(len(group), MOSTLY))
        self._exempt = set(climb.bench.exempt(climb.harness))

    def __call__(self, place: int) -> End | Exception:
        """Climb the one at that place, and let go of what its end makes useless."""
        bench = dataclasses.replace(self._climb.bench, threads=self._share, stop=self._stops[place])
        ended = _end(self._climb, bench, self._group[place])
        with self._lock:
            self._ends[place] = ended
            for stop in self._stops[self._last() + 1 :]:
                stop.let_go()
        return ended

    def _last(self) -> int:
        """The place behind which nobody will ask: the first that ended the climb, once its word stands.

        Until a first rung that may learn has ended nobody knows what the original does as well, and where it learnt
        some of that the others are asked again.
        """
        refused = [place for place, ended in self._ends.items() if _is_last(ended)]
        learnt = self._climb.bench.exempt(self._climb.harness) != self._exempt
        stands = not self._learning or (0 in self._ends and not learnt)
        return min(refused) if refused and (stands or 0 in refused) else len(self._group)


def _is_last(ended: End | Exception) -> bool:
    return isinstance(ended, Exception) or ended.rejection is not None


def _beside(ended: End | Exception) -> End | Exception:
    """As what was climbed beside the one before it."""
    if isinstance(ended, Exception):
        return ended
    return dataclasses.replace(ended, rung=dataclasses.replace(ended.rung, beside=True))


def _end(climb: Climb, bench: Bench, rung: tuple[RungName, Step]) -> End | Exception:
    name, step = rung
    started = time.monotonic()
    try:
        rejection, detail = step(climb, bench)
    except Exception as error:  # noqa: BLE001 - raised where those before it have passed
        return error
    seconds = time.monotonic() - started
    return End(Rung(name=name, passed=rejection is None, seconds=seconds, detail=detail), rejection)
