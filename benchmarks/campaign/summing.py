"""What the campaign won in all, in sentences, with what speaks against each."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Sequence

from benchmarks.campaign import recorded
from benchmarks.campaign.recorded import WAYS, Recorded
from benchmarks.campaign.rows import Row, figure
from kmaint.evaluate.timing.ratios import WORST_RATIO
from kmaint.records.evaluation import Environment
from kmaint.records.run import Run
from kmaint.records.timing import Timing

VERIFIED = recorded.EARLIER / "2026-12-02-h200-check"
"""What `check --out` wrote."""
WIDTH = 125


def headline(found: Sequence[Row]) -> str:
    """What was won over operators as serving runs them, in a sentence or two."""
    wins = [(row, best) for row in found if (best := row.best) and row.won(best)]
    ratios = _ratios(wins)
    if not ratios:
        return "Nothing has been won yet over an operator that serving runs."
    families = len({row.entry.family for row, _ in wins})
    mean, hot = statistics.geometric_mean(ratios), sum(row.entry.hot_path for row, _ in wins)
    eager = sum(_loses_eagerly(timing) for row, best in wins if (timing := row.over_shipped(best)))
    own = sum(row.won(row.runs["builtin"]) for row in found if "builtin" in row.runs)
    return filled(
        f"For {len(wins)} of {len(found)} operators in its campaign, in {families} families, kmaint has a variant that"
        " is faster than what serving runs:",
        f"{min(ratios):.2f}x to {max(ratios):.2f}x on an H200 under CUDA graphs, the median"
        f" {statistics.median(ratios):.2f}x, the geometric mean {mean:.2f}x, no timed workload more than 2 % slower.",
        f"Called without graphs, {eager} lose more than that on some workload, beyond its interval.",
        f"{hot} are kernels that serving itself runs, for the models or with the settings that [the table](#measured)"
        f" names; {own} operators have one from the catalogue alone, for the others a model wrote it.",
        "The table has those without a win too, and how far they are from the roofline.",
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
    """What `check` made of wins that it cut from their release anew and timed again on another device."""
    runs = [*(one for way in WAYS for one in recorded.campaign(way).values()), *recorded.earlier()]
    wins = {one.run.id: one for one in runs if one.won}
    again = {one.run: one.outcome for one in recorded.read_verified(VERIFIED) if one.run in wins}
    ratios = [
        (outcome.holds, now.speedup.ratio / then.speedup.ratio)
        for run, outcome in again.items()
        if (found := outcome.evaluation) and _elsewhere(found.environment, wins[run].run.environment)
        if (now := recorded.timing_of(found)) and (then := figure(wins[run]))
    ]
    if not ratios:
        return []
    held, apart = sum(holds for holds, _ in ratios), [ratio for _, ratio in ratios]
    return [
        f"`make campaign-check` cut {len(ratios)} of {len(wins)} recorded wins anew from their releases and judged them"
        f" again, on another machine of the kind: {held} hold;",
        f"the new speedup over the extracted kernel is {min(apart):.2f} to {max(apart):.2f} times the old one"
        f" (geometric mean {statistics.geometric_mean(apart):.2f}).",
    ]


def _elsewhere(one: Environment | None, other: Environment | None) -> bool:
    """Whether they are two devices; what is not known is not taken for another."""
    known = {environment.device_uuid for environment in (one, other) if environment and environment.device_uuid}
    return len(known) == 2


def _repeats(first: Run, second: Run) -> bool:
    """Whether it has the same winner, from another device."""
    return first.best == second.best and _elsewhere(first.environment, second.environment)


def _loses_eagerly(timing: Timing) -> bool:
    """Whether the whole interval of some workload lies below what the gate lets one lose under a graph."""
    return any(one.eager is not None and one.eager.high < WORST_RATIO for one in timing.workloads)


def _ratios(wins: Sequence[tuple[Row, Recorded]]) -> list[float]:
    return [timing.speedup.ratio for row, one in wins if (timing := row.over_shipped(one))]


def _mean(ratios: Sequence[float]) -> str:
    return f" (geometric mean {statistics.geometric_mean(ratios):.2f}x)" if ratios else ""


def machines(ran: Sequence[Row]) -> str:
    """What everything was measured with."""
    known = [one.run.environment for row in ran for one in row.runs.values()]
    kinds = sorted({f"{one.device}, torch {one.torch}, triton {one.triton}" for one in known if one and one.device})
    devices = {one.device_uuid for one in known if one and one.device_uuid}
    machines = "one machine" if len(devices) == 1 else f"{len(devices)} machines"
    return f"Measured on {machines} with one {' and one '.join(kinds)}."


def filled(*sentences: str) -> str:
    """In lines of a page."""
    return textwrap.fill(" ".join(sentences), WIDTH, break_long_words=False, break_on_hyphens=False)
