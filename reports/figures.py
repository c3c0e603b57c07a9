"""Inline SVG: positions in percent of the width, so that text keeps its size on a phone; colours come from the page.

Dots, not bars: on a logarithmic axis a bar has no honest base to stand on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from kmaint.records.evaluation import Rung
from kmaint.records.timing import Interval
from reports.evidence import Compared, Row, ladder_of, standing
from reports.numbers import Median, interval, microseconds, percent, ratio

ROW, DOTS, TOP, AXIS = 48, 27, 8, 26
"""Heights in pixels: of a workload's row, of its dots in it, above the first row, and of the axis below the last."""

Place = Callable[[float], float]


def latency(rows: Sequence[Row]) -> Markup:
    """Each workload's median before and after with its interval, on a logarithmic axis, and the roofline floor."""
    values = [value for row in rows for value in _extent(row)]
    place, ticks = _logarithmic(min(values), max(values))
    parts = [_grid(ticks, place, len(rows), lambda tick: f"{tick:g} µs")]
    for index, row in enumerate(rows):
        y = TOP + index * ROW
        before, after = row.original, row.candidate
        value = f"{microseconds(before.us)} → {microseconds(after.us)} µs"
        parts.append(_labels(row.workload, value, y))
        parts.append(_line("link", place(before.us), place(after.us), y + DOTS))
        parts.append(_whisker(before, place, y + DOTS, "original"))
        parts.append(_whisker(after, place, y + DOTS, "candidate"))
        parts.append(_dot("original", place(before.us), y + DOTS, f"original: {_spelled(before)}"))
        parts.append(_dot("candidate", place(after.us), y + DOTS, f"new: {_spelled(after)}"))
        if row.floor_us is not None:
            parts.append(_tick("floor", place(row.floor_us), y + DOTS, f"roofline: {microseconds(row.floor_us)} µs"))
    return _figure(parts, len(rows), "Latency of each workload before and after, on a logarithmic axis")


def speedups(rows: Sequence[Compared], overall: Interval, *, mean: str = "weighted geometric mean") -> Markup:
    """Each ratio with its interval over the noise of the same session, and their mean last."""
    bounds = [bound for row in rows for bound in (row.speedup.low, row.speedup.high, row.noise.low, row.noise.high)]
    place, ticks = _ratios(min(*bounds, overall.low, 0.98), max(*bounds, overall.high, 1.02))
    parts = [_grid(ticks, place, len(rows) + 1, lambda tick: f"{tick:g}×"), _one(place, len(rows) + 1)]
    for index, row in enumerate(rows):
        y = TOP + index * ROW
        noise = f"noise, the original against itself: {interval(row.noise)}"
        parts.append(_labels(row.name, f"{ratio(row.speedup.ratio)}  {interval(row.speedup)}", y))
        parts.append(_band(place(row.noise.low), place(row.noise.high), y + DOTS - 6, noise))
        parts.append(_line(f"bound {standing(row.speedup)}", place(row.speedup.low), place(row.speedup.high), y + DOTS))
        parts.append(
            _dot(standing(row.speedup), place(row.speedup.ratio), y + DOTS, f"{row.name}: {ratio(row.speedup.ratio)}")
        )
    y = TOP + len(rows) * ROW
    parts.append(_labels(mean, f"{ratio(overall.ratio)}  {interval(overall)}", y, strong=True))
    parts.append(_line(f"bound whole {standing(overall)}", place(overall.low), place(overall.high), y + DOTS))
    parts.append(_dot(f"whole {standing(overall)}", place(overall.ratio), y + DOTS, ratio(overall.ratio)))
    return _figure(parts, len(rows) + 1, "Each speedup with its 95 % interval")


def kernels(found: Sequence[tuple[str, Interval]]) -> Markup:
    """The ratio of each kernel with its interval, on a logarithmic axis."""
    place, ticks = _ratios(min(0.98, *(one.low for _, one in found)), max(1.02, *(one.high for _, one in found)))
    parts = [_grid(ticks, place, len(found), lambda tick: f"{tick:g}×"), _one(place, len(found))]
    for index, (name, one) in enumerate(found):
        y = TOP + index * ROW
        parts.append(_labels(name, ratio(one.ratio), y))
        parts.append(_line(f"bound {standing(one)}", place(one.low), place(one.high), y + DOTS))
        parts.append(_dot(standing(one), place(one.ratio), y + DOTS, f"{name}: {ratio(one.ratio)}, {interval(one)}"))
    return _figure(parts, len(found), "Speedup of each kernel with its 95 % interval")


def roofline(rows: Sequence[Row]) -> Markup:
    """How much of the roofline each workload reaches before and after; only workloads whose floor is known."""
    known = [(row, row.floor_us) for row in rows if row.floor_us is not None]

    def place(fraction: float) -> float:
        return 1.5 + 97 * min(fraction, 1.0)

    parts = [_grid([0, 0.25, 0.5, 0.75, 1.0], place, len(known), percent)]
    for index, (row, floor_us) in enumerate(known):
        y = TOP + index * ROW
        before, after = floor_us / row.original.us, floor_us / row.candidate.us
        parts.append(_labels(row.workload, f"{percent(before)} → {percent(after)}", y))
        parts.append(_line("link", place(before), place(after), y + DOTS))
        parts.append(_dot("original", place(before), y + DOTS, f"original: {percent(before)} of the roofline"))
        parts.append(_dot("candidate", place(after), y + DOTS, f"new: {percent(after)} of the roofline"))
    return _figure(parts, len(known), "Share of the roofline that each workload reaches, before and after")


def ladder(rungs: Sequence[Rung]) -> Markup:
    """The gate's rungs as climbed: filled where passed, crossed where failed, empty where never reached."""
    climbed = {rung.name: rung for rung in rungs}
    parts, words, names = [], [], ladder_of(rungs)
    for index, name in enumerate(names):
        rung = climbed.get(name)
        state = "missed" if rung is None else "up" if rung.passed else "down"
        spelled = f"{name}: {'not reached' if rung is None else 'passed' if rung.passed else 'failed'}"
        words.append(spelled)
        box = Markup('<rect class="{}" x="{}" y="1" width="10" height="10" rx="2"><title>{}</title></rect>')
        parts.append(box.format(state, index * 13 + 1, spelled))
        if state == "down":
            x = index * 13 + 4
            parts.append(Markup('<path class="cross" d="M{} 4l4 4m0-4l-4 4"/>').format(x))
    svg = Markup('<svg class="ladder" width="{}" height="12" role="img" aria-label="{}">{}</svg>')
    return svg.format(len(names) * 13, "; ".join(words), Markup("").join(parts))


def _extent(row: Row) -> list[float]:
    ends = (row.original, row.candidate)
    bounds = [value for end in ends for value in (end.us, end.low_us, end.high_us) if value is not None]
    return bounds if row.floor_us is None else [*bounds, row.floor_us]


def _logarithmic(low: float, high: float) -> tuple[Place, list[float]]:
    """Percent of the width for a value, and ticks at 1, 2 and 5 times powers of ten (1 alone over many decades)."""
    low, high = low / 1.12, high * 1.12
    decades = math.log10(high / low)
    steps = (1, 2, 5) if decades <= 2.5 else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**exponent for exponent in exponents for step in steps]

    def place(value: float) -> float:
        return 100 * math.log10(value / low) / decades

    return place, [tick for tick in ticks if low <= tick <= high]


def _ratios(low: float, high: float) -> tuple[Place, list[float]]:
    """The same for ratios: logarithmic, so that twice and half lie equally far from one."""
    low, high = low / 1.01, high * 1.01
    width = math.log(high / low)
    step = next((s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0) if (high - low) / s <= 6), 5.0)
    ticks = [round(number * step, 2) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]

    def place(value: float) -> float:
        return 100 * math.log(value / low) / width

    return place, [tick for tick in ticks if tick > 0]


def _figure(parts: Sequence[Markup], count: int, label: str) -> Markup:
    svg = Markup('<svg class="figure" width="100%" height="{}" role="img" aria-label="{}">{}</svg>')
    return svg.format(TOP + count * ROW + AXIS, label, Markup("").join(parts))


def _grid(ticks: Sequence[float], place: Place, count: int, label: Callable[[float], str]) -> Markup:
    bottom = TOP + count * ROW
    line = Markup('<line class="grid" x1="{0:.2f}%" x2="{0:.2f}%" y1="{1}" y2="{2}"/>')
    text = Markup('<text class="axis" x="{:.2f}%" y="{}" text-anchor="{}">{}</text>')
    parts = []
    for tick in ticks:
        x = place(tick)
        anchor = "start" if x < 6 else "end" if x > 94 else "middle"
        parts += [line.format(x, TOP, bottom), text.format(x, bottom + 18, anchor, label(tick))]
    return Markup("").join(parts)


def _one(place: Place, count: int) -> Markup:
    line = Markup('<line class="one" x1="{0:.2f}%" x2="{0:.2f}%" y1="{1}" y2="{2}"/>')
    return line.format(place(1.0), TOP, TOP + count * ROW)


def _labels(name: str, value: str, y: int, *, strong: bool = False) -> Markup:
    text = Markup('<text class="name{0}" x="0" y="{1}">{2}</text><text class="value{0}" x="100%" y="{1}">{3}</text>')
    return text.format(" strong" if strong else "", y + 13, name, value)


def _line(kind: str, x1: float, x2: float, y: int) -> Markup:
    return Markup('<line class="{}" x1="{:.2f}%" x2="{:.2f}%" y1="{}" y2="{}"/>').format(kind, x1, x2, y, y)


def _whisker(median: Median, place: Place, y: int, kind: str) -> Markup:
    if median.low_us is None or median.high_us is None:
        return Markup("")
    return _line(f"whisker {kind}", place(median.low_us), place(median.high_us), y)


def _dot(kind: str, x: float, y: int, title: str) -> Markup:
    dot = Markup('<circle class="{}" cx="{:.2f}%" cy="{}" r="{}"><title>{}</title></circle>')
    return dot.format(f"dot {kind}", x, y, 6.5 if "whole" in kind else 5, title)


def _tick(kind: str, x: float, y: int, title: str) -> Markup:
    line = Markup('<line class="{0}" x1="{1:.2f}%" x2="{1:.2f}%" y1="{2}" y2="{3}"><title>{4}</title></line>')
    return line.format(kind, x, y - 8, y + 8, title)


def _band(x1: float, x2: float, y: int, title: str) -> Markup:
    band = Markup('<rect class="noise" x="{:.2f}%" y="{}" width="{:.2f}%" height="12" rx="2"><title>{}</title></rect>')
    return band.format(x1, y, max(x2 - x1, 0.2), title)


def _spelled(median: Median) -> str:
    bounds = (median.low_us, median.high_us)
    within = "" if None in bounds else f", 95 % interval {'–'.join(microseconds(b) for b in bounds if b is not None)}"
    return f"{microseconds(median.us)} µs{within}"
