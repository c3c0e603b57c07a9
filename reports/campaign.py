"""Many runs as one HTML file that needs nothing else: a line a kernel, what was tried on it, and a search."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from kmaint.records.engine import EngineBench
from kmaint.records.evaluation import Passed, Profile, speedup
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.records.spent import Spent
from kmaint.records.timing import Interval, Timing, WorkloadTiming
from reports import evidence, figures, numbers
from reports.facts import Fact
from reports.numbers import median_of
from reports.page import Judged, judged
from reports.serving import Cell, throughput
from reports.templating import template

SHIPPED, BEST, FLOOR = "shipped", "best", "roofline"
WIN, UNTIMED, RUNNING, NO_WIN = ORDER = "win", "not timed", "running", "no win"
"""How a kernel stands, in the order of the page."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One run of the campaign; `page` is where its own page lies, as a link from this one, and empty without one.

    `engine` is what a whole engine made of its patch alone.
    """

    run: Run
    harness: Harness
    spent: Spent
    page: str
    engine: EngineBench | None = None


@dataclass(frozen=True, kw_only=True)
class Attempted:
    """One run as the page shows it below its kernel."""

    id: str
    provider: str
    page: str
    facts: tuple[Fact, ...]
    tally: str
    judged: tuple[Judged, ...]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One kernel: its best run, and all of them. Times are geometric means over the workloads, by their weights.

    `before` and `after` are the shares of the roofline that were measured, of the shipped code and of the best.
    """

    kernel: str
    path: str
    release: str
    word: str
    speedup: Interval | None
    times: dict[str, float]
    before: float | None
    after: float | None
    provider: str
    edit: str
    spent: Spent
    engine: Cell | None
    latency: Markup
    runs: tuple[Attempted, ...]

    @property
    def text(self) -> str:
        """What a search looks in."""
        tried = [f"{run.id} {run.provider}" for run in self.runs]
        tried += [f"{one.edit} {one.word}" for run in self.runs for one in run.judged]
        return " ".join((self.kernel, self.path, self.release, self.word, *tried)).lower()


def write_campaign(entries: Sequence[Entry], into: Path) -> Path:
    """Write the page to the file `into`; equal records give equal bytes."""
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_text(render(entries), encoding="utf-8")
    return into


def render(entries: Sequence[Entry]) -> str:
    """The page's text: kernels with a win first, the greatest ahead."""
    kernels: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        kernels[evidence.release(entry.harness), entry.run.kernel].append(entry)
    lines = sorted((_line(found) for found in kernels.values()), key=_place)
    timed = [(line.kernel, line.speedup) for line in lines if line.speedup]
    return template("campaign.html.j2").render(
        lines=lines,
        figure=figures.kernels(timed) if timed else "",
        engines=any(line.engine for line in lines),
        totals=list(_totals(lines, entries)),
        devices=sorted({entry.run.environment.device or "" for entry in entries if entry.run.environment} - {""}),
        minutes=numbers.minutes,
        dollars=numbers.dollars,
    )


def _place(line: Line) -> tuple[int, float, str]:
    return ORDER.index(line.word), -(line.speedup.ratio if line.speedup else 0.0), line.path


def _totals(lines: Sequence[Line], entries: Sequence[Entry]) -> Iterator[Fact]:
    """The sum of the campaign; the mean is of the wins alone, and says so."""
    spent = sum((entry.spent for entry in entries), Spent())
    wins = [line.speedup.ratio for line in lines if line.word == WIN and line.speedup]
    yield Fact(name="kernels", text=str(len(lines)))
    yield Fact(name="with a win", text=str(len(wins)), good="faster" if wins else None)
    if wins:
        mean = math.exp(sum(map(math.log, wins)) / len(wins))
        yield Fact(name="geometric mean of the wins", text=numbers.ratio(mean), good="faster")
    yield Fact(name="candidates", text=str(spent.candidates))
    yield Fact(name="on the device", text=numbers.minutes(spent.device_minutes))
    yield Fact(name="tokens", text=f"{spent.usage.tokens:,}")
    yield Fact(name="money", text=numbers.dollars(spent.usage.cost_usd))


def _line(entries: Sequence[Entry]) -> Line:
    """One kernel of one release, whatever runs it had; shown is what the best of them found."""
    best = max(entries, key=lambda entry: _rank(entry.run))
    found = evidence.shown(best.run)
    timing = evidence.timing_of(found)
    return Line(
        kernel=best.harness.kernel,
        path=f"{best.harness.provenance.path}:{best.harness.provenance.line}",
        release=evidence.release(best.harness),
        word=_word(best.run),
        speedup=speedup(found) if found else None,
        times=_times(timing) if timing else {},
        before=_measured_share(best.run.baseline),
        after=_measured_share(found.verdict.profile) if found and isinstance(found.verdict, Passed) else None,
        provider=found.candidate.provider if found else best.run.provider,
        edit=found.candidate.plan.edit if found else "",
        spent=sum((entry.spent for entry in entries), Spent()),
        engine=throughput(best.engine) if best.engine else None,
        latency=figures.latency(evidence.rows(timing, best.harness)) if timing else Markup(""),
        runs=tuple(_attempted(entry) for entry in entries),
    )


def _word(run: Run) -> str:
    """How the kernel stands, as a candidate's ending is worded; a run that goes on has no answer yet."""
    if run.winner:
        return evidence.verdict_word(run.winner.verdict)
    return RUNNING if run.state == "running" else NO_WIN


def _rank(run: Run) -> tuple[bool, bool, float, str]:
    found = evidence.shown(run)
    measured = speedup(found) if found else None
    return run.winner is not None, measured is not None, measured.low if measured else 0.0, run.id


def _times(timing: Timing) -> dict[str, float]:
    """Microseconds; without the roofline where any workload's floor is unknown."""
    found = {
        SHIPPED: _mean(timing, lambda one: median_of(one.original_us).us),
        BEST: _mean(timing, lambda one: median_of(one.candidate_us).us),
        FLOOR: _mean(timing, lambda one: one.floor_us),
    }
    return {name: value for name, value in found.items() if value is not None}


def _mean(timing: Timing, us: Callable[[WorkloadTiming], float | None]) -> float | None:
    total = sum(one.weight for one in timing.workloads)
    logarithms = [one.weight * math.log(found) for one in timing.workloads if (found := us(one))]
    return math.exp(sum(logarithms) / total) if total and len(logarithms) == len(timing.workloads) else None


def _measured_share(profile: Profile | None) -> float | None:
    return None if profile is None or profile.estimated else profile.roofline_fraction


def _attempted(entry: Entry) -> Attempted:
    run, spent = entry.run, entry.spent
    cost = f"{numbers.dollars(spent.usage.cost_usd)}, {spent.usage.tokens:,} tokens"
    minutes = f"{numbers.minutes(spent.device_minutes)} on the device, {numbers.minutes(spent.wall_minutes)} in all"
    machine = run.environment.device or f"no GPU, for {run.environment.arch}" if run.environment else "not recorded"
    facts = {"searched by": f"{run.provider}, {run.strategy}", "state": run.state, "cost": cost, "time": minutes}
    if entry.engine:
        found = throughput(entry.engine)
        facts["whole engine"] = (
            f"{numbers.ratio(found.ratio.ratio)} ({numbers.interval(found.ratio)}) the tokens per second of {found.of}"
        )
    return Attempted(
        id=run.id,
        provider=run.provider,
        page=entry.page,
        facts=tuple(Fact(name=name, text=text) for name, text in {**facts, "machine": machine}.items()),
        tally=evidence.tally(run),
        judged=tuple(judged(run, one) for one in run.evaluations),
    )
