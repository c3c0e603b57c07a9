"""A whole engine with a patch and without it, as a page shows it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from kmaint.records.engine import LEGS, EngineBench, Leg, PointResult, Sample
from kmaint.records.run import Run
from kmaint.records.timing import Interval
from reports import evidence, figures, numbers
from reports.evidence import Compared, Standing
from reports.facts import Fact


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A ratio of base over patched, and what it is of: two medians, or an engine at its points."""

    ratio: Interval
    of: str

    @property
    def standing(self) -> Standing:
        return evidence.standing(self.ratio)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One point: throughput, time to the first token and for each after it, base over base, and engines beside."""

    point: str
    throughput: Cell
    first_token: Cell
    token: Cell | None
    noise: Interval
    others: tuple[Cell, ...]
    visits: int


@dataclass(frozen=True, kw_only=True)
class Served:
    """One benchmark of an engine. `others` are the runs whose patches were in it too, `beside` further engines."""

    title: str
    text: str
    others: tuple[str, ...]
    beside: tuple[str, ...]
    figure: Markup
    lines: tuple[Line, ...]
    facts: tuple[Fact, ...]


def served(found: EngineBench, run: Run) -> Served:
    """What the engine made of the run's patch."""
    compared = [Compared(name=one.point.name, speedup=one.speed, noise=one.noise) for one in found.points]
    count = len(found.points)
    return Served(
        title=f"{found.engine} {found.version}: {numbers.ratio(found.speedup.ratio)} the base's tokens per second",
        text=(
            f"Geometric mean over {count} point{'s' * (count != 1)}, 95 % interval {numbers.interval(found.speedup)}; "
            f"a second engine of the base against the first: {numbers.ratio(found.noise.ratio)} "
            f"({numbers.interval(found.noise)})."
        ),
        others=tuple(name for name in found.runs if name != run.id),
        beside=tuple(one.leg for one in found.others),
        figure=figures.speedups(compared, found.speedup, mean="geometric mean"),
        lines=tuple(map(_line, found.points)),
        facts=tuple(_facts(found)),
    )


def throughput(found: EngineBench) -> Cell:
    """The mean over the points, for one line of a page."""
    count = len(found.points)
    return Cell(ratio=found.speedup, of=f"{found.engine} {found.version} at {count} point{'s' * (count != 1)}")


def _line(found: PointResult) -> Line:
    asked = found.point
    tokens = asked.batch * (asked.tokens if asked.phase == "decode" else asked.context)
    first, token = ({leg: _median(found.samples[leg], name) for leg in LEGS[:2]} for name in ("first_s", "token_s"))
    # As what is compared: while it decodes, or over the whole visit.
    name, of = ("token_s", asked.batch) if found.speed is found.token else ("seconds", tokens)
    each_s = {leg: of / (_median(samples, name) or math.inf) for leg, samples in found.samples.items()}
    return Line(
        point=asked.name,
        throughput=Cell(ratio=found.speed, of=f"{each_s['base']:,.0f} → {each_s['patched']:,.0f} tokens/s"),
        first_token=Cell(ratio=found.first_token, of=_milliseconds(first)),
        token=Cell(ratio=found.token, of=_milliseconds(token)) if found.token else None,
        noise=found.noise,
        others=tuple(Cell(ratio=ratio, of=f"{each_s[leg]:,.0f} tokens/s") for leg, ratio in found.others.items()),
        visits=len(found.samples["base"]),
    )


def _median(samples: tuple[Sample, ...], name: str) -> float | None:
    known = [value for one in samples if (value := getattr(one, name)) is not None]
    return statistics.median(known) if known else None


def _milliseconds(medians: dict[Leg, float | None]) -> str:
    return " → ".join(numbers.microseconds(1e3 * one) for one in medians.values() if one is not None) + " ms"


def _facts(found: EngineBench) -> Iterator[Fact]:
    for point in found.points:
        if {"base", "patched"} <= point.busy_s.keys():
            base, patched = point.busy_s["base"], point.busy_s["patched"]
            ratio = numbers.ratio(base / patched)
            text = f"{_milliseconds({'base': base, 'patched': patched})} a token, {ratio}, whatever the host does"
            yield Fact(name=f"{point.point.name}, device busy", text=text)
    for place in found.engaged:
        yield Fact(name=f"came by {place.count:,} times", text=place.place)
    alike = found.likeness
    yield Fact(name="contract of the outputs", text=alike.contract)
    outcome = "holds" if alike.holds else f"does not hold: {alike.reason}"
    common = f"{alike.common_tokens:.1f} tokens in common, at most {alike.worst_nats:.2g} nats apart"
    text = f"{outcome}; {alike.identical} of {alike.sequences} sequences identical, {common}"
    yield Fact(name="outcome", text=text, good="faster" if alike.holds else "slower")
    for other in found.others:
        name = f"beside, {other.leg}"
        yield Fact(name=name, text=f"{numbers.ratio(other.speedup.ratio)} ({numbers.interval(other.speedup)})")
    for one in found.accuracy:
        ended = f" (ended with {one.code})" if one.code else ""
        text = f"{one.said or 'said nothing'}{ended}"
        yield Fact(name=f"accuracy, {one.leg}", text=text, good="slower" if one.code else None)
    yield Fact(name="model", text=found.model)
    yield Fact(name="device", text=found.device or "none")
    if found.cores:
        cores = f"{len(found.cores)}, the same for all: {', '.join(map(str, found.cores))}"
        yield Fact(name="processors", text=cores)
    if found.stolen is not None:
        yield Fact(name="processors, taken by the host", text=f"{found.stolen:.1%} of their time")
    yield Fact(name="set for both", text=", ".join(f"{name}={value}" for name, value in found.arguments.items()))
    yield Fact(name="all that differs", text=", ".join(found.files))
    for leg, digest in found.digests.items():
        yield Fact(name=f"{leg}, sha256", text=digest)
