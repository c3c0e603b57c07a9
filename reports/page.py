"""One run as one HTML file that needs nothing else: no network, no script, light and dark, screen, phone and paper."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from markupsafe import Markup

from kmaint.records.change import Landing
from kmaint.records.engine import EngineBench
from kmaint.records.evaluation import Evaluation, Passed, Resources, speedup, wall_s
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.records.spent import Spent
from kmaint.records.timing import Timing
from reports import evidence, facts, figures, numbers
from reports.evidence import Row
from reports.facts import Fact
from reports.serving import served
from reports.templating import template

LineKind = Literal["add", "del", "hunk", "meta", "same"]


@dataclass(frozen=True, kw_only=True)
class Account:
    """All that is known of a run; `engines` were measured with its patch, alone or among others."""

    run: Run
    harness: Harness
    spent: Spent = field(default_factory=Spent)
    landing: Landing | None = None
    engines: tuple[EngineBench, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One candidate as the list of candidates shows it."""

    id: str
    edit: str
    why: str
    word: str
    reason: str
    ladder: Markup
    seconds: str
    codes: str
    log: str
    best: bool
    ratio: str
    rungs: tuple[Fact, ...]


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A candidate, and those that were made from it."""

    judged: Judged
    branches: tuple[Branch, ...]


def write_report(account: Account, into: Path) -> Path:
    """Write the page to the file `into`; equal records give equal bytes."""
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_text(render(account), encoding="utf-8")
    return into


def render(account: Account) -> str:
    """The page's text."""
    run, harness, landing = account.run, account.harness, account.landing
    best = evidence.shown(run)
    timing = evidence.timing_of(best)
    rows = evidence.rows(timing, harness) if timing else []
    return template("report.html.j2").render(
        harness=harness,
        best=best,
        timing=timing,
        rows=rows,
        headline=evidence.headline(run, harness),
        figures=_figures(rows, timing),
        key_numbers=[*facts.key_numbers(best, rows), *facts.engines(account.engines)],
        numerics=list(facts.numerics(best)),
        lineage=run.lineage(run.winner.candidate) if run.winner else [],
        diff=[(diff_kind(line), line) for line in evidence.diff_of(run, harness, landing).splitlines()],
        patch=list(facts.patch(landing)),
        checks=landing.checks if landing else (),
        engines=[served(one, run) for one in account.engines],
        branches=branches(run),
        judged=[judged(run, one) for one in run.evaluations],
        tally=evidence.tally(run),
        counted=list(facts.counters(run, best)),
        compiled=_compiled(run, best),
        not_measured=evidence.not_measured(run, harness, engine=bool(account.engines)),
        machine=list(facts.environment(run.environment or (best.environment if best else None))),
        cost=list(facts.cost(run, account.spent)),
        provenance=list(facts.provenance(run, harness)),
        commands=evidence.commands(harness),
    )


def _figures(rows: list[Row], timing: Timing | None) -> dict[str, Markup]:
    if timing is None or not rows:
        return {}
    drawn = {
        "latency": figures.latency(rows),
        "speedups": figures.speedups([row.compared for row in rows], timing.speedup),
    }
    if any(row.floor_us is not None for row in rows):
        drawn["roofline"] = figures.roofline(rows)
    return drawn


def judged(run: Run, one: Evaluation) -> Judged:
    """A candidate with its ending, its reason, and the rungs as a drawing."""
    found = speedup(one)
    verdict = one.verdict
    return Judged(
        id=one.candidate.id,
        edit=one.candidate.plan.edit,
        why=one.candidate.plan.why,
        word=evidence.verdict_word(verdict),
        reason=evidence.reason(verdict),
        ladder=figures.ladder(one.rungs),
        seconds=f"{wall_s(one.rungs):.1f} s" if one.rungs else "",
        codes="" if isinstance(verdict, Passed) else ", ".join(verdict.codes),
        log="" if isinstance(verdict, Passed) else verdict.log,
        best=one.candidate.id == run.best,
        ratio=numbers.ratio(found.ratio) if found else "",
        rungs=tuple(
            Fact(name=rung.name, text=f"{rung.seconds:.1f} s{f': {rung.detail}' if rung.detail else ''}")
            for rung in one.rungs
        ),
    )


def branches(run: Run) -> tuple[Branch, ...]:
    """The candidates that were made from the original, each with its own; one whose parent came later, or is not
    among the judged, stands with them.
    """
    below: dict[str | None, list[Evaluation]] = {None: []}
    for one in run.evaluations:
        below[one.candidate.parent if one.candidate.parent in below else None].append(one)
        below.setdefault(one.candidate.id, [])

    def grown(parent: str | None) -> tuple[Branch, ...]:
        return tuple(Branch(judged=judged(run, one), branches=grown(one.candidate.id)) for one in below[parent])

    return grown(None)


def _compiled(run: Run, best: Evaluation | None) -> list[tuple[str, Resources]]:
    """What the compiler says of the original and of the shown candidate, one after the other for each workload."""
    before = run.baseline.resources if run.baseline else ()
    after = best.verdict.profile.resources if best and isinstance(best.verdict, Passed) else ()
    both = [("original", one) for one in before] + [("new", one) for one in after]
    return sorted(both, key=lambda pair: (pair[1].kernel, pair[1].workload, pair[0] != "original"))


def diff_kind(line: str) -> LineKind:
    """What a line of a unified diff is."""
    if line.startswith(("diff ", "index ", "--- ", "+++ ", "new file", "deleted file")):
        return "meta"
    kinds: dict[str, LineKind] = {"+": "add", "-": "del", "@": "hunk"}
    return kinds.get(line[:1], "same")
