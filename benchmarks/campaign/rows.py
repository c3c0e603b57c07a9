"""What is known of each kernel of the campaign: its entry, its harness, its runs; and its times as figures."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.campaign import recorded
from benchmarks.campaign.kernels import Entry, read_entries
from benchmarks.campaign.preparing import Prepared, read_prepared
from benchmarks.campaign.recorded import WAYS, Recorded, Way
from kmaint.records.timing import Interval, Timing, WorkloadTiming

Leg = Literal["original", "candidate", "floor"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """An entry, what became of its harness, and its runs, of which there may be none."""

    entry: Entry
    prepared: Prepared | None = None
    runs: dict[Way, Recorded] = field(default_factory=dict)
    before: bool = False
    """Whether its run of builtin is from before the campaign."""
    first: Recorded | None = None
    """An earlier run with candidates that were handed in since."""

    @property
    def best(self) -> Recorded | None:
        """The run that won by most over what serving runs, else one timed against it, else over the extracted."""
        return next(iter(self.ranked), None)

    @property
    def ranked(self) -> list[Recorded]:
        """All runs, the best first."""
        return sorted(self.runs.values(), key=self._standing, reverse=True)

    def _standing(self, found: Recorded) -> tuple[bool, bool, bool, bool, float]:
        over, timing = self.over_shipped(found), figure(found)
        shown = over or timing
        low = shown.speedup.low if shown else 0.0
        return self.won(found), found.won, over is not None, timing is not None, low

    def over_shipped(self, found: Recorded) -> Timing | None:
        """How the run's winner stands to what serving runs: the extracted kernel itself, or the operator it took."""
        if not self.entry.shipped:
            return figure(found)
        return found.shipped.timing if found.shipped else None

    @property
    def shipped(self) -> Timing | None:
        """What has the time of what serving runs, of whichever run."""
        found = (self.best, *self.runs.values())
        return next((timing for one in found if one and (timing := self.over_shipped(one))), None)

    def won(self, found: Recorded) -> bool:
        """Whether it counts: a win over what serving runs, of which no workload lost more than the gate allows."""
        return found.won and (not self.entry.shipped or (found.shipped is not None and found.shipped.won))

    @property
    def title(self) -> str:
        entry = self.entry
        if entry.language == "cuda":
            return f"`{entry.launcher}` ({entry.framework} {entry.version}, CUDA C++)"
        return f"`{entry.name}` ({entry.framework} {entry.version})"


def figure(found: Recorded) -> Timing | None:
    """What is reported of a run: what the clock said last of its winner, since what chose it is partly luck."""
    if found.retimed and found.retimed.timing:
        return found.retimed.timing
    again = recorded.timing_of(found.again) if found.again else None
    return again or found.timing


def rows() -> list[Row]:
    """Every entry with what was recorded of it: the campaign's own runs, else those from before."""
    prepared = {(one.id, one.release): one for one in read_prepared()}
    ways = {way: recorded.campaign(way) for way in WAYS}
    firsts = {(found.run.kernel, found.release): found for found in recorded.campaign(recorded.FIRST).values()}
    before: dict[tuple[str, str], Recorded] = {}
    for found in recorded.earlier():
        before.setdefault((found.run.kernel, found.release), found)
    result: list[Row] = []
    for entry in read_entries():
        key = (entry.id, entry.release)
        runs: dict[Way, Recorded] = {
            way: found for way in WAYS for found in ways[way].values() if (found.run.kernel, found.release) == key
        }
        old = None if "builtin" in runs else before.get(key)
        result.append(
            Row(
                entry=entry,
                prepared=prepared.get(key),
                runs={"builtin": old, **runs} if old else runs,
                before=old is not None,
                first=firsts.get(key),
            )
        )
    return result


def microseconds(timing: Timing, leg: Leg) -> float | None:
    """Weighted geometric mean over the workloads of one leg's medians, or of the floors; None where one is unknown."""
    values = [(one.weight, _leg(one, leg)) for one in timing.workloads]
    if any(us is None for _, us in values):
        return None
    total = sum(weight for weight, _ in values)
    return math.exp(sum(weight * math.log(us) for weight, us in values if us) / total)


def _leg(one: WorkloadTiming, leg: Leg) -> float | None:
    match leg:
        case "original":
            return statistics.median(one.original_us)
        case "candidate":
            return statistics.median(one.candidate_us)
        case "floor":
            return one.floor_us


def interval(found: Interval) -> str:
    return f"{found.ratio:.2f}x ({found.low:.2f} to {found.high:.2f})"
