"""One run as one HTML file that needs nothing else: no network, no script, light and dark, screen, phone and paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from markupsafe import Markup

from kmaint.records.change import Landing
from kmaint.records.evaluation import Environment, Evaluation, Passed, Resources, Timing, speedup
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from reports import evidence, figures, numbers
from reports.evidence import Row, Standing
from reports.templating import template

WORDS: dict[Standing, str] = {"faster": "faster", "same": "the same", "slower": "slower"}

LineKind = Literal["add", "del", "hunk", "meta", "same"]


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A name and what stands beside it; `good` colours a headline number."""

    name: str
    text: str
    good: Standing | None = None


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One candidate as the table of candidates shows it."""

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


def write_report(run: Run, harness: Harness, landing: Landing | None, into: Path) -> Path:
    """Write the page to the file `into`; equal records give equal bytes."""
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_text(render(run, harness, landing), encoding="utf-8")
    return into


def render(run: Run, harness: Harness, landing: Landing | None) -> str:
    """The page's text."""
    best = evidence.shown(run)
    timing = evidence.timing_of(best)
    rows = evidence.rows(timing, harness) if timing else []
    return template("report.html.j2").render(
        run=run,
        harness=harness,
        landing=landing,
        best=best,
        timing=timing,
        rows=rows,
        headline=evidence.headline(run, harness),
        figures=_figures(rows, timing),
        key_numbers=list(_key_numbers(best, rows)),
        numerics=list(_numerics(best)),
        lineage=run.lineage(run.winner.candidate) if run.winner else [],
        diff=[(diff_kind(line), line) for line in evidence.diff_of(run, harness, landing).splitlines()],
        judged=[judged(run, one) for one in run.evaluations],
        tally=evidence.tally(run),
        compiled=_compiled(run, best),
        not_measured=evidence.not_measured(run, harness),
        machine=list(_machine(run.environment or (best.environment if best else None))),
        provenance=list(_provenance(run, harness, landing)),
        commands=evidence.commands(harness),
    )


def _figures(rows: list[Row], timing: Timing | None) -> dict[str, Markup]:
    if timing is None or not rows:
        return {}
    drawn = {"latency": figures.latency(rows), "speedups": figures.speedups(rows, timing.speedup)}
    if any(row.floor_us is not None for row in rows):
        drawn["roofline"] = figures.roofline(rows)
    return drawn


def _key_numbers(best: Evaluation | None, rows: list[Row]) -> Iterator[Fact]:
    if best is None or not isinstance(best.verdict, Passed):
        return
    if found := speedup(best):
        yield Fact(name="95 % interval", text=numbers.interval(found))
        for word in WORDS:
            if count := sum(row.standing == word for row in rows):
                yield Fact(name=f"workloads {WORDS[word]}", text=f"{count} of {len(rows)}", good=word)
    yield Fact(name="results", text=best.verdict.numerics.kind)
    profile = best.verdict.profile
    if profile.roofline_fraction is not None and not profile.estimated:
        yield Fact(name="of the roofline", text=numbers.percent(profile.roofline_fraction))


def _numerics(best: Evaluation | None) -> Iterator[Fact]:
    if best is None or not isinstance(best.verdict, Passed):
        return
    found = best.verdict.numerics
    exact = (
        "the same to the bit as the original's"
        if found.kind == "bit-exact"
        else "differ from the original's in rounding"
    )
    yield Fact(name="results", text=exact)
    yield Fact(name="largest difference", text=numbers.scientific(found.max_difference))
    for name, value in (("original", found.original_error), ("new", found.candidate_error)):
        if found.oracle and value is not None:
            yield Fact(
                name=f"error of the {name} against float64", text=f"{numbers.scientific(value)} of the row's scale"
            )


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
        seconds=f"{sum(rung.seconds for rung in one.rungs):.1f} s" if one.rungs else "",
        codes="" if isinstance(verdict, Passed) else ", ".join(verdict.codes),
        log="" if isinstance(verdict, Passed) else verdict.log,
        best=one.candidate.id == run.best,
        ratio=numbers.ratio(found.ratio) if found else "",
        rungs=tuple(
            Fact(name=rung.name, text=f"{rung.seconds:.1f} s{f': {rung.detail}' if rung.detail else ''}")
            for rung in one.rungs
        ),
    )


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


def _machine(machine: Environment | None) -> Iterator[Fact]:
    if machine is None:
        return
    yield Fact(name="device", text=machine.device or f"none; compiled for {machine.arch}")
    if machine.device:
        yield Fact(name="architecture", text=machine.arch)
    optional = (
        ("driver", machine.driver),
        ("CUDA", machine.cuda),
        ("multiprocessors", machine.multiprocessors),
        ("L2", machine.l2_bytes and f"{machine.l2_bytes / 2**20:.0f} MiB"),
        ("memory bandwidth", machine.memory_bandwidth_gbps and f"{machine.memory_bandwidth_gbps:,.0f} GB/s, measured"),
        ("SM clock", machine.clocks_mhz and " → ".join(f"{clock} MHz" for clock in machine.clocks_mhz)),
    )
    for name, value in optional:
        if value:
            yield Fact(name=name, text=str(value))
    for name, text in (("torch", machine.torch), ("triton", machine.triton), ("Python", machine.python)):
        yield Fact(name=name, text=text)
    yield Fact(name="platform", text=machine.platform)


def _provenance(run: Run, harness: Harness, landing: Landing | None) -> Iterator[Fact]:
    origin = harness.provenance
    yield Fact(name="cut from", text=f"{evidence.release(harness)}, {origin.path}:{origin.line}")
    yield Fact(name="licence", text=origin.licence)
    yield Fact(name="file", text=f"sha256 {origin.files[origin.path]}" if origin.path in origin.files else origin.path)
    yield Fact(name="run", text=f"{run.id}, begun {run.created}")
    yield Fact(name="searched by", text=f"{run.provider}, {run.strategy}")
    if run.best:
        yield Fact(name="winner", text=run.best)
    if landing:
        yield Fact(name="branch", text=f"{landing.branch} at {landing.commit[:12]}, off {landing.base[:12]}")
        yield Fact(name="patch", text=f"{landing.stat}; applies to a clean clone")
        if landing.author:
            yield Fact(name="committed as", text=landing.author)
    for stub in harness.stubs:
        yield Fact(name=f"stand-in for {stub.symbol}", text=stub.reason)
