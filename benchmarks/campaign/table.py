"""The campaign's table in README.md: kernel by kernel what was measured, and plainly what was not."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.campaign import recorded
from benchmarks.campaign.kernels import Entry, read_entries
from benchmarks.campaign.preparing import Prepared, read_prepared
from benchmarks.campaign.recorded import WAYS, Recorded, Way
from benchmarks.campaign.shipping import NO_GPU
from benchmarks.pages import Place
from kmaint import learning
from kmaint.evaluate.timing.ratios import WORST_RATIO
from kmaint.records.run import Run
from kmaint.records.timing import Interval, Timing, WorkloadTiming

Leg = Literal["original", "candidate", "floor"]

TABLE, WON = (Place("README.md", name, "benchmarks/campaign/table.py") for name in ("campaign", "won"))
VERIFIED = recorded.EARLIER / "2026-12-02-h200-check"
"""What `check --out` wrote."""
HEAD = (
    "| kernel (release) | family | hot path | shipped us | extracted us | builtin us | handoff us | roofline us "
    "| speedup (95 %) | least | least, eager | gate |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
)
LEGEND = (
    "Microseconds are weighted geometric means of the workloads' medians, `least` is the workload that gained least",
    "under CUDA graphs, and `least, eager` that by wall clock, called without one. `gate` is what judging took:",
    "candidates, device minutes. `builtin` edits no CUDA C++ (n/a). A star marks rows whose `builtin` is an earlier",
    "one, from before the campaign. Candidates of `handoff`, which a model wrote, answer what `kmaint next` asked for;",
    "where a dagger stands, they were read from a folder (`scripted`), in runs from before that. What they took to",
    "write is not known. Where serving runs another operator, `speedup` is of a run of its own beside that one, and",
    "the ratio over the extracted kernel, which the search went by, stands behind it.",
)
UNDECIDED = "`no verdict`: a run's minutes ended before one, though a variant looked faster."


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
    """What is reported of a run: the second passage of its winner where there was one, since the first chose it."""
    again = recorded.timing_of(found.again) if found.again else None
    return again or found.timing


def write(*, check: bool) -> int:
    """Put the table and its headline between their markers; with `check` only say whether they stand there."""
    found = rows()
    stale = [place.put(text, check=check) for place, text in ((TABLE, render(found)), (WON, headline(found)))]
    return int(check and any(stale))


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


def render(found: Sequence[Row]) -> str:
    """The table of what ran on a GPU, the count of wins, and by name what did not run yet."""
    ran = [row for row in found if row.best and row.best.failure != NO_GPU]
    undecided = [UNDECIDED] if any(one.undecided for row in ran for one in row.runs.values()) else []
    lines = [*HEAD, *map(_line, ran), "", *summary(ran), "", *LEGEND, *undecided, ""] if ran else []
    waiting = [row for row in found if row not in ran and not _obstacle(row)]
    if waiting:
        lines += [f"Not measured yet, {len(waiting)} of {len(found)}: {', '.join(row.title for row in waiting)}.", ""]
    stuck: dict[str, list[Row]] = {}
    for row in found:
        if row not in ran and _obstacle(row):
            stuck.setdefault(_obstacle(row), []).append(row)
    if stuck:
        lines += [f"Cannot be judged yet, {sum(map(len, stuck.values()))} of {len(found)}:", ""]
        lines += [f"- {', '.join(row.title for row in those)}: {reason}" for reason, those in stuck.items()]
    return "\n".join(lines).strip("\n")


def headline(found: Sequence[Row]) -> str:
    """What was won over operators as serving runs them, in a sentence or two."""
    wins = [(row, best) for row in found if (best := row.best) and row.won(best)]
    ratios = _ratios(wins)
    if not ratios:
        return "Nothing has been won yet over an operator that serving runs."
    families = len({row.entry.family for row, _ in wins})
    mean, hot = statistics.geometric_mean(ratios), sum(row.entry.hot_path for row, _ in wins)
    return "\n".join(
        (
            f"For {len(wins)} of {len(found)} operators in its campaign, in {families} families, kmaint has a variant"
            f" that is faster than what serving runs, {hot} times that very kernel:",
            f"{min(ratios):.2f}x to {max(ratios):.2f}x on an H200 under CUDA graphs, as a geometric mean {mean:.2f}x,"
            " no timed workload more than 2 % slower.",
            "[The table](#measured) has the others beside them, with how far they are from the roofline.",
        )
    )


def summary(ran: Sequence[Row]) -> list[str]:
    """Wins over what serving runs, by how much, and how many of them builtin alone has; then the other wins."""
    wins = [(row, best) for row in ran if (best := row.best) and row.won(best)]
    own = [(row, one) for row in ran if (one := row.runs.get("builtin")) and row.won(one)]
    beside = [best for row in ran if (best := row.best) and best.won and not row.won(best)]
    hot = sum(row.entry.hot_path for row, _ in wins)
    over_extracted = [timing.speedup.ratio for one in beside if (timing := figure(one))]
    handed = [(row, one) for row in ran if (one := row.runs.get("handoff")) and row.won(one)]
    handed = [(row, one) for row, one in handed if one.run.provider == "handoff"]
    eager = sum(_loses_eagerly(timing) for row, one in wins if (timing := row.over_shipped(one)))
    return [
        f"Wins over the op that serving runs: {len(wins)}{_mean(_ratios(wins))}, {hot} of them on the hot path;",
        f"by `builtin` alone {len(own)}{_mean(_ratios(own))}, by candidates that were handed in {len(handed)}"
        f"{_mean(_ratios(handed))}.",
        "Wins over an extracted kernel, where the op that serving runs instead was not timed or not beaten:"
        f" {len(beside)}{_mean(over_extracted)}.",
        f"Called without CUDA graphs, {eager} of the wins over what serving runs lose more than 2 % on some workload.",
        *_repeated(handed),
        *_verified(),
    ]


def _repeated(handed: Sequence[tuple[Row, Recorded]]) -> list[str]:
    """How the winners that an earlier run had judged, on another machine, stand to what it said of them."""
    both = [(row.first, one) for row, one in handed if row.first]
    same = [(first, one) for first, one in both if first.won and _repeats(first.run, one.run)]
    timed = [(figure(first), figure(one)) for first, one in same]
    ratios = [now.speedup.ratio / then.speedup.ratio for then, now in timed if then and now]
    if not ratios:
        return []
    return [
        f"{len(ratios)} of those handed in had won in an earlier run on another machine of the kind; the new speedup is"
        f" {min(ratios):.2f} to {max(ratios):.2f} times",
        f"that one (geometric mean {statistics.geometric_mean(ratios):.2f}).",
    ]


def _verified() -> list[str]:
    """What `check` made of wins that it cut from their release anew and judged again, on a machine of the kind."""
    runs = [*(one for way in WAYS for one in recorded.campaign(way).values()), *recorded.earlier()]
    wins = {one.run.id: figure(one) for one in runs if one.won}
    again = {one.run: one.outcome for one in recorded.read_verified(VERIFIED) if one.run in wins}
    ratios = [
        now.speedup.ratio / then.speedup.ratio
        for run, outcome in again.items()
        if outcome.evaluation and (now := recorded.timing_of(outcome.evaluation)) and (then := wins[run])
    ]
    if not ratios:
        return []
    held = sum(outcome.holds for outcome in again.values())
    return [
        f"`make campaign-check` cut {len(again)} wins anew from their releases and judged them again, on another"
        f" machine of the kind: {held} hold;",
        f"the new speedup is {min(ratios):.2f} to {max(ratios):.2f} times the old one (geometric mean"
        f" {statistics.geometric_mean(ratios):.2f}).",
    ]


def _repeats(first: Run, second: Run) -> bool:
    """Whether it has the same winner, from another device."""
    devices = [one.environment.device_uuid if one.environment else None for one in (first, second)]
    return first.best == second.best and devices[0] != devices[1]


def _loses_eagerly(timing: Timing) -> bool:
    """Whether the whole interval of some workload lies below what the gate lets one lose under a graph."""
    return any(one.eager is not None and one.eager.high < WORST_RATIO for one in timing.workloads)


def _ratios(wins: Sequence[tuple[Row, Recorded]]) -> list[float]:
    return [timing.speedup.ratio for row, one in wins if (timing := row.over_shipped(one))]


def _mean(ratios: Sequence[float]) -> str:
    return f" (geometric mean {statistics.geometric_mean(ratios):.2f}x)" if ratios else ""


def _obstacle(row: Row) -> str:
    """Why the gate cannot judge it; empty where it can, or where nobody tried to cut it out."""
    return row.prepared.reason if row.prepared and row.prepared.state != "ready" else ""


def _line(row: Row) -> str:
    best = row.best
    assert best is not None  # only rows that ran are printed
    timing, shipped = figure(best), row.over_shipped(best)
    shown = shipped or timing
    cells = [
        f"{row.title}{' *' if row.before else ''}",
        row.entry.family,
        "yes" if row.entry.hot_path else "no",
        _us(row.shipped, "original") or (f"{row.entry.shipped}: not timed" if row.entry.shipped else ""),
        _us(timing, "original"),
        *(_by_way(row, way) for way in WAYS),
        _us(timing, "floor"),
        _verdict(row, best, shown),
        _least([one.speedup for one in shown.workloads]) if shown else "",
        _least([one.eager for one in shown.workloads if one.eager]) if shown else "",
        _gate(list(row.runs.values())),
    ]
    return f"| {' | '.join(cells)} |"


def _by_way(row: Row, way: Way) -> str:
    """Microseconds of the way's winner, or why there are none."""
    found = row.runs.get(way)
    if found is None or found.failure == NO_GPU:
        return "n/a" if way == "builtin" and row.entry.language == "cuda" else "not run"
    if found.undecided:
        return "no verdict"
    mark = " \u2020" if found.run.provider == "scripted" else ""
    return f"{_us(figure(found), 'candidate') if found.won else 'no win'}{mark}"


def _least(ratios: Sequence[Interval]) -> str:
    return f"{min(one.ratio for one in ratios):.2f}x" if ratios else ""


def _verdict(row: Row, best: Recorded, shown: Timing | None) -> str:
    """The ratio, over what it is; without a win over what serving runs, how near the roofline the extracted one is."""
    over, extracted = row.over_shipped(best), figure(best)
    against = "" if over else " over extracted"
    said = best.failure if shown is None else f"{interval(shown.speedup)}{against}"
    beside = f"; {extracted.speedup.ratio:.2f}x over extracted" if row.entry.shipped and over and extracted else ""
    if row.won(best):
        return f"**{said}**{beside}"
    ratio = f"**{said}**" if best.won and against else f"no win: {said}"
    standing = _of_the_roofline(best)
    return f"{ratio}{beside}{f'; extracted at {standing} of the roofline' if standing else ''}"


def _of_the_roofline(found: Recorded) -> str:
    """The share of the roofline that the extracted kernel reaches, from its times; else as estimated, and marked so."""
    timing, baseline = figure(found), found.run.baseline
    took, floor = (microseconds(timing, "original"), microseconds(timing, "floor")) if timing else (None, None)
    if took and floor:
        return f"{floor / took:.2f}"
    if baseline is None or baseline.roofline_fraction is None:
        return ""
    return f"{baseline.roofline_fraction:.2f}{' (estimated)' if baseline.estimated else ''}"


def _gate(runs: Sequence[Recorded]) -> str:
    """Candidates and device minutes of all ways together."""
    spent = [one.spent or learning.spent(one.run, ()) for one in runs]
    candidates, minutes = sum(one.candidates for one in spent), sum(one.device_minutes for one in spent)
    return f"{candidates}{f', {minutes:.1f} min' if minutes else ''}"


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


def _us(timing: Timing | None, leg: Leg) -> str:
    value = microseconds(timing, leg) if timing else None
    return "" if value is None else f"{value:.1f}"
