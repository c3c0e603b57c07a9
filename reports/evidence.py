"""What a run's records say, put in order for a reader: nothing here is computed from a number that was not measured."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from kmaint.folder import read_parity
from kmaint.records.change import Kind, Landing
from kmaint.records.evaluation import Evaluation, Passed, Rung, RungName, Verdict, speedup
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.records.timing import Interval, Timing
from kmaint.roofline import to_be_left
from reports.numbers import Median, interval, median_of, percent, ratio

Standing = Literal["faster", "same", "slower"]
Outcome = Literal["won", "no_win", "untimed", "none"]

RUNGS: tuple[RungName, ...] = get_args(RungName)
"""The gate, from the bottom up."""
ON_DEMAND: frozenset[RungName] = frozenset({"look"})
"""Rungs that nobody misses where they were not climbed."""

FILE = "candidate.py"
"""What the commands call the source that is shown in full."""

KINDS: dict[Kind, str] = {
    "config": "Only tuned configurations change, no code",
    "edit": "Of the code, only the spans of the kernel and its launcher change",
    "guarded": "A variant stands beside the original, whose lines are as they were; a guard says which calls it takes",
    "registry": "A backend of its own is registered; what serves today stays as it is",
}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A ratio under a name, and the noise that it was measured in."""

    name: str
    speedup: Interval
    noise: Interval


@dataclass(frozen=True, kw_only=True)
class Row:
    """One workload of one comparison. `floor_us` and `eager` are absent where nobody knows them."""

    workload: str
    source: str
    weight: float
    original: Median
    candidate: Median
    samples: int
    speedup: Interval
    noise: Interval
    eager: Interval | None
    floor_us: float | None

    @property
    def standing(self) -> Standing:
        return standing(self.speedup)

    @property
    def compared(self) -> Compared:
        return Compared(name=self.workload, speedup=self.speedup, noise=self.noise)


@dataclass(frozen=True, kw_only=True)
class Headline:
    """The one sentence that a reader takes along, and what it rests on."""

    outcome: Outcome
    title: str
    text: str


def standing(found: Interval) -> Standing:
    """Which side of 1 the whole interval lies on."""
    return "faster" if found.low > 1 else "slower" if found.high < 1 else "same"


def shown(run: Run) -> Evaluation | None:
    """The evaluation to show in full: the winner, else the best that was timed."""
    timed = [one for one in run.evaluations if speedup(one)]
    return run.winner or max(timed, key=lambda one: found.ratio if (found := speedup(one)) else 0.0, default=None)


def timing_of(evaluation: Evaluation | None) -> Timing | None:
    match evaluation:
        case Evaluation(verdict=Passed(timing=timing)):
            return timing
        case _:
            return None


def rows(timing: Timing, harness: Harness) -> list[Row]:
    """Every timed workload, the quickest first: on a kernel that is, smallest to largest."""
    sources = {workload.name: f"{workload.source} ({workload.origin})" for workload in harness.contract.workloads}
    found = [
        Row(
            workload=one.workload,
            source=sources.get(one.workload, ""),
            weight=one.weight,
            original=median_of(one.original_us),
            candidate=median_of(one.candidate_us),
            samples=min(len(one.original_us), len(one.candidate_us)),
            speedup=one.speedup,
            noise=one.noise,
            eager=one.eager,
            floor_us=one.floor_us,
        )
        for one in timing.workloads
    ]
    return sorted(found, key=lambda row: (row.original.us, row.workload))


def headline(run: Run, harness: Harness) -> Headline:
    """Won, no win, or not timed; a ratio is in it only where one was measured."""
    kernel, tried = harness.kernel, candidates(len(run.evaluations))
    winner, best = run.winner, shown(run)
    found = speedup(winner) if winner else None
    if winner and found:
        text = (
            f"{kernel} on {winner.environment.device}: 95 % interval {interval(found)}, "
            f"weighted geometric mean of original over new time. {tried} judged."
        )
        return Headline(outcome="won", title=f"{ratio(found.ratio)} as fast", text=text)
    if winner:
        text = (
            f"A variant of {kernel} passed every check that needs no GPU. Whether it is faster has not been measured, "
            f"so it claims nothing and cannot be proposed yet. {tried} judged."
        )
        return Headline(outcome="untimed", title="Right, but not timed", text=text)
    if best and (found := speedup(best)):
        text = f"The best of {tried} measured {ratio(found.ratio)} ({interval(found)}): not enough to change {kernel}."
        return Headline(outcome="no_win", title="No win: leave it as it is", text=f"{text}{_near_roofline(run)}")
    if run.state == "at_roofline":
        text = f"No candidate of {kernel} was tried: {to_be_left(run.baseline)}."
        return Headline(outcome="no_win", title="At the roofline: leave it as it is", text=text)
    titles = {"running": "Still running", "stopped": "Stopped before an answer"}
    return Headline(
        outcome="none", title=titles.get(run.state, "No candidate to propose"), text=f"{tried} of {kernel} judged."
    )


def candidates(count: int) -> str:
    return "1 candidate" if count == 1 else f"{count} candidates"


def _near_roofline(run: Run) -> str:
    profile = run.baseline
    if profile is None or profile.estimated or profile.roofline_fraction is None:
        return ""
    return f" The original runs at {percent(profile.roofline_fraction)} of the roofline."


def verdict_word(verdict: Verdict) -> str:
    """The terminal state in words; a pass says whether it was timed, and whether it won."""
    if isinstance(verdict, Passed):
        return "not timed" if verdict.timing is None else "win" if verdict.win else "no win"
    return verdict.kind.replace("_", " ")


def reason(verdict: Verdict) -> str:
    """Why the verdict is what it is, in one line."""
    if not isinstance(verdict, Passed):
        return " ".join(verdict.reason.split())
    if verdict.timing is None:
        return f"right ({verdict.numerics.kind}); there was no GPU to time it on"
    slower = [one.workload for one in verdict.timing.workloads if standing(one.speedup) == "slower"]
    lost = f"; slower on {', '.join(slower)}" if slower else ""
    return f"right ({verdict.numerics.kind}); {ratio(verdict.timing.speedup.ratio)}{lost}"


def ladder_of(climbed: Sequence[Rung]) -> list[RungName]:
    """The rungs that stood before a candidate: one on demand only where it was climbed."""
    names = {rung.name for rung in climbed}
    return [name for name in RUNGS if name in names or name not in ON_DEMAND]


def climbed(evaluation: Evaluation) -> str:
    """Which rungs were passed, failed and never reached, in words."""
    ended = {rung.name: "passed" if rung.passed else "failed" for rung in evaluation.rungs}
    groups = [
        f"{word}: {', '.join(names)}"
        for word in ("passed", "failed", "not reached")
        if (names := [name for name in ladder_of(evaluation.rungs) if ended.get(name, "not reached") == word])
    ]
    return "; ".join(groups)


def tally(run: Run) -> str:
    """How every candidate ended, in numbers: `1 win, 2 no win, 3 wrong`."""
    counts = Counter(verdict_word(one.verdict) for one in run.evaluations)
    order = ("win", "no win", "not timed", "slower", "wrong", "not built", "dishonest", "crashed", "timed out")
    return ", ".join(f"{counts[word]} {word}" for word in order if counts[word])


def not_measured(run: Run, harness: Harness, *, engine: bool = False) -> list[str]:
    """What a reader might take for granted and nobody looked at; `engine` says that a whole engine was."""
    said: list[str] = []
    best = shown(run)
    timing = timing_of(best)
    if timing is None:
        machine = run.environment or (best.environment if best else None)
        why = "No GPU" if machine is None or machine.device is None else "No candidate got that far"
        said.append(
            f"{why}: nothing here was timed. What the compiler says of the code is static and estimates no time."
        )
    else:
        said.extend(_untimed_workloads(timing, harness))
    if best and isinstance(best.verdict, Passed):
        said.extend(f"Not judged on this machine: {one}." for one in best.verdict.numerics.not_judged)
        if not best.verdict.numerics.oracle:
            said.append("No float64 oracle: results were compared with the original's only, not with the truth.")
    said.extend(_parity_gaps(harness))
    if not engine:
        said.append("The whole engine was not run: a kernel's gain need not show in serving.")
    if run.environment and run.environment.device:
        said.append(f"One device: {run.environment.device}. Other architectures were neither run nor timed.")
    return said


def _parity_gaps(harness: Harness) -> list[str]:
    parity = read_parity(harness.folder)
    if parity is None:
        return ["The harness was not held against the shipped op ('kmaint parity' does)."]
    if parity.state == "not_run":
        return [f"The harness was not held against the shipped op: {parity.reason}."]
    return [] if parity.paces else ["The harness gives the shipped op's bits; its speed was not held against it."]


def parity_line(harness: Harness) -> str:
    """What parity showed, as a sentence; empty where it was not run."""
    parity = read_parity(harness.folder)
    if parity is None or parity.state != "holds":
        return ""
    line = f"It gives the same bits as the shipped op ({parity.shipped}) on every workload"
    ratios = [pace.ratio.ratio for pace in parity.paces]
    timed = f", in {min(ratios):.3f} to {max(ratios):.3f} of its time" if ratios else ""
    return f"{line}{timed}."


def why_untimed(run: Run) -> str:
    """What kept a run from timing anything."""
    machines = [run.environment, *(one.environment for one in run.evaluations)]
    return "No candidate got that far" if any(one and one.device for one in machines) else "No GPU"


def _untimed_workloads(timing: Timing, harness: Harness) -> list[str]:
    timed = {one.workload for one in timing.workloads}
    said = []
    if missing := [one.name for one in harness.contract.timed if one.name not in timed]:
        said.append(f"Not timed: {', '.join(missing)}.")
    if any(one.floor_us is None for one in timing.workloads):
        said.append("The roofline floor of some workloads is unknown: their least traffic has not been worked out.")
    if any(one.eager is None for one in timing.workloads):
        said.append("Eager launches were not timed for every workload: times are of CUDA-graph replay.")
    return said


def diff_of(run: Run, harness: Harness, landing: Landing | None) -> str:
    """The landed diff, else that of the winner's kernel.py; empty where there is no winner."""
    if landing is not None:
        return landing.diff[landing.diff.find("diff --git") :]
    if run.winner is None:
        return ""
    before, name = harness.replaced.read_text().splitlines(keepends=True), harness.replaced.name
    after = run.winner.candidate.source.splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"))


def commands(harness: Harness) -> list[str]:
    """From the framework's tree to the numbers again; TREE is a checkout of it, FILE the source that is shown."""
    folder = f"harnesses/{harness.folder.name}"
    return [
        f"kmaint extract TREE '{harness.id}' -o harnesses",
        f"kmaint testgen {folder}",
        f"kmaint check {folder} {FILE}",
    ]


def release(harness: Harness) -> str:
    origin = harness.provenance
    at = f" at {origin.commit[:12]}" if origin.commit else ""
    return f"{origin.framework} {origin.version or ''}".strip() + at
