"""The campaign's table in README.md: kernel by kernel what was measured, and plainly what was not."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.campaign.kernels import HOME, ROOT
from benchmarks.campaign.recorded import WAYS, Recorded, Way
from benchmarks.campaign.rows import Leg, Row, figure, interval, microseconds, rows
from benchmarks.campaign.shipping import NO_GPU
from benchmarks.campaign.summing import filled, headline, machines, summary
from benchmarks.pages import Place
from kmaint import learning
from kmaint.records.timing import Interval, Timing

TABLE, WON = (Place("README.md", name, "benchmarks/campaign/table.py") for name in ("campaign", "won"))
HEAD = (
    "| kernel (release) | family | hot path | shipped us | extracted us | builtin us | handoff us | roofline us "
    "| speedup (95 %) | least | least, eager | gate |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
)
LEGEND = """\
Microseconds are weighted geometric means of the workloads' medians, `least` is the workload that gained least under
CUDA graphs, and `least, eager` that by wall clock, called without one. `hot path` says for whom serving runs this
very kernel, `gate` what judging took: candidates, device minutes. `builtin` edits no CUDA C++ (n/a). A star marks
rows whose `builtin` is an earlier one, from before the campaign. Candidates of `handoff`, which a model wrote, answer
what `kmaint next` asked for; where a dagger stands, they were read from a folder (`scripted`), in runs from before
that. What they took to write is not known. Where serving runs another operator, `speedup` is of a run of its own
beside that one, and the ratio over the extracted kernel, which the search went by, stands behind it."""
PATCH = "win.patch"
"""Beside a kernel's runs, where its win landed: by benchmarks/recheck.py."""
UNDECIDED = "`no verdict`: a run's minutes ended before one, though a variant looked faster."


def write(*, check: bool) -> int:
    """Put the table and its headline between their markers; with `check` only say whether they stand there."""
    found = rows()
    stale = [place.put(text, check=check) for place, text in ((TABLE, render(found)), (WON, headline(found)))]
    return int(check and any(stale))


def render(found: Sequence[Row]) -> str:
    """The table of what ran on a GPU, the count of wins, and by name what did not run yet."""
    ran = [row for row in found if row.best and row.best.failure != NO_GPU]
    undecided = [UNDECIDED] if any(one.undecided for row in ran for one in row.runs.values()) else []
    legend = filled(LEGEND, *undecided, machines(ran))
    lines = [*HEAD, *map(_line, ran), "", *summary(ran), "", legend, ""] if ran else []
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
        row.entry.only or ("yes" if row.entry.hot_path else "no"),
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
        return f"**{_linked(said, best)}**{beside}"
    ratio = f"**{_linked(said, best)}**" if best.won and against else f"no win: {said}"
    standing = _of_the_roofline(best)
    return f"{ratio}{beside}{f'; extracted at {standing} of the roofline' if standing else ''}"


def _linked(said: str, best: Recorded) -> str:
    """With the patch that the winner lands as, where it is kept."""
    patch = HOME / best.folder / PATCH
    return f"[{said}]({patch.relative_to(ROOT)})" if patch.is_file() else said


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


def _us(timing: Timing | None, leg: Leg) -> str:
    value = microseconds(timing, leg) if timing else None
    return "" if value is None else f"{value:.1f}"
