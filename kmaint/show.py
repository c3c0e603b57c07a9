"""Records to what a command prints: a table for people or one JSON object for scripts, and its exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmaint.console import (
    Format,
    print_lines,
    print_object,
    print_table,
)
from kmaint.records.call import Capture, Watched
from kmaint.records.change import Landing
from kmaint.records.evaluation import Evaluation, Interval, Passed
from kmaint.records.harness import Extraction, Suite
from kmaint.records.parity import Parity
from kmaint.records.run import Run
from kmaint.wire import dump

if TYPE_CHECKING:
    from kmaint.workflow import ExtractedTree, Maintained  # a scan needs no stage but extract

DONE, NO = 0, 1

MOST_CALLED = 30
"""Rows of the table after a capture; the record has all."""


def capture(found: Capture, record: Path) -> None:
    """What was called most, on standard error: standard output belongs to the command that was captured."""
    called = [one for one in found.watched if one.calls]
    totals = Counter[str]()
    for one in called:
        totals[one.level] += one.calls
    rows = (
        (one.id, one.level, f"{one.calls:,}", str(one.distinct), f"{one.calls / totals[one.level]:.1%}", _unseen(one))
        for one in called[:MOST_CALLED]
    )
    print_table(("called", "level", "calls", "distinct", "share", ""), rows, to_error=True)
    more = f"; the table shows the first {MOST_CALLED}" if len(called) > MOST_CALLED else ""
    sums = ", ".join(f"{count:,} {level} calls" for level, count in sorted(totals.items())) or "no call"
    seen = f"{sums}: {len(called)} of {len(found.watched)} watched, in {found.processes} processes"
    print_lines([f"{seen}{more}: {record}"], to_error=True)


def _unseen(one: Watched) -> str:
    parts = (
        (one.beyond, "beyond the limit"),
        (one.failed, "not described"),
        (one.in_graph, "while a graph was captured"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in parts if count)


def extraction(ended: Extraction, output: Format) -> int:
    """How an extraction ended; the answer is no when it gave no harness."""
    if output is Format.JSON:
        print_object("kmaint.extract/1", {"harnesses": [dump(ended)]})
    else:
        print_lines([_extraction_line(ended)])
    return DONE if ended.folder else NO


def extracted_tree(found: ExtractedTree, output: Format) -> int:
    """How each kernel ended, the counts, and what stopped the most; the answer is no when none gave a harness."""
    counts = _extraction_counts(found.extractions)
    if output is Format.JSON:
        rest = {"counts": {**counts, "reused": found.reused}, "seconds": round(found.seconds, 1)}
        print_object("kmaint.extract/1", {"harnesses": [dump(ended) for ended in found.extractions], **rest})
    else:
        print_lines(_extraction_line(ended) for ended in found.extractions)
        rows = [(state, level, str(count)) for state in STATES for level, count in counts["levels"][state].items()]
        print_table(("state", "level", "kernels"), rows)
    return DONE if any(ended.folder for ended in found.extractions) else NO


STATES = ("ready", "imports", "stopped")


def _extraction_counts(ended: Sequence[Extraction]) -> dict[str, Any]:
    """How many were launched, how many ended in each state, and how many of those at which level."""
    levels = {state: Counter(item.level or "-" for item in ended if item.state == state) for state in STATES}
    states = {state: levels[state].total() for state in STATES}
    return {"launched": len(ended), **states, "levels": {state: dict(levels[state]) for state in STATES}}


def _extraction_line(item: Extraction) -> str:
    alone = f" (kernel alone: {item.no_launcher})" if item.no_launcher else ""
    return f"{item.state}: {item.folder or item.id}" + (f": {item.reason}" if item.reason else "") + alone


def suite(written: Suite, output: Format) -> None:
    """The path of the suite and what it states."""
    if output is Format.JSON:
        print_object("kmaint.testgen/1", dump(written))
    else:
        print_lines([str(written.path), *(f"  {name}" for name in written.properties)])


def parity(found: Parity, output: Format) -> int:
    """Whether the harness is the op it was cut from; the answer is no for anything but `holds`."""
    if output is Format.JSON:
        print_object("kmaint.parity/1", dump(found))
    else:
        print_lines(f"{pace.workload}: {interval(pace.ratio)} of the shipped op's time" for pace in found.paces)
        timed = "" if found.paces else ", not timed"
        print_lines([f"holds against {found.shipped}{timed}" if found.state == "holds" else _unlike(found)])
    return DONE if found.state == "holds" else NO


def _unlike(found: Parity) -> str:
    return f"{found.state}: {found.reason}"


def evaluation(found: Evaluation, output: Format) -> int:
    """The verdict with its reason and rungs; the answer is no for anything but passed."""
    verdict = found.verdict
    passed = isinstance(verdict, Passed)
    if output is Format.JSON:
        print_object(
            "kmaint.check/1",
            {
                **_verdict_fields(found),
                "sandbox": found.environment.sandbox,
                "rungs": dump(found.rungs),
                "environment": dump(found.environment),
            },
        )
    else:
        print_table(
            ("rung", "", "s", "detail"),
            ((r.name, "ok" if r.passed else "FAILED", f"{r.seconds:.1f}", r.detail) for r in found.rungs),
        )
        print_lines([_verdict_line(found)])
    return DONE if passed else NO


def _verdict_fields(found: Evaluation) -> dict[str, object]:
    verdict = found.verdict
    if isinstance(verdict, Passed):
        ratio = dump(verdict.timing.speedup) if verdict.timing else None
        more = {"ratio": ratio} if ratio else {}
        return {
            "verdict": verdict.kind,
            "reason": "",
            "codes": [],
            "win": verdict.win,
            "numerics": verdict.numerics.kind,
            **more,
        }
    return {"verdict": verdict.kind, "reason": verdict.reason, "codes": list(verdict.codes)}


def _verdict_line(found: Evaluation) -> str:
    verdict = found.verdict
    if not isinstance(verdict, Passed):
        return f"{verdict.kind}: {verdict.reason}"
    if verdict.timing is None:
        return f"passed, {verdict.numerics.kind}; not timed: no GPU here"
    return f"passed, {verdict.numerics.kind}; {interval(verdict.timing.speedup)}{'' if verdict.win else ', not a win'}"


def interval(ratio: Interval) -> str:
    """A speedup as people read it: `1.52x (1.50 to 1.54)`."""
    return f"{ratio.ratio:.2f}x ({ratio.low:.2f} to {ratio.high:.2f})"


def run(found: Run, output: Format) -> int:
    """A run's candidates and its winner; the answer is no without one."""
    if output is Format.JSON:
        print_object(
            "kmaint.optimize/1",
            {
                "run": found.id,
                "state": found.state,
                "best": found.best,
                "candidates": [_candidate(e) for e in found.evaluations],
            },
        )
    else:
        print_table(
            ("candidate", "edit", "verdict"),
            ((e.candidate.id, e.candidate.plan.edit, _verdict_line(e)) for e in found.evaluations),
        )
        print_lines([_run_line(found)])
    return DONE if found.winner else NO


def _candidate(found: Evaluation) -> dict[str, object]:
    return {"id": found.candidate.id, "edit": found.candidate.plan.edit, **_verdict_fields(found)}


def _run_line(found: Run) -> str:
    if found.winner is None:
        return f"run {found.id}: {found.state}, no winner among {len(found.evaluations)} candidates"
    winner = found.winner.candidate
    return f"run {found.id}: {found.state}, {winner.id} ({winner.plan.edit}): {_verdict_line(found.winner)}"


def runs(found: Sequence[Run], output: Format) -> None:
    """One line a run."""
    if output is Format.JSON:
        print_object(
            "kmaint.runs/1",
            {"runs": [{"run": r.id, "state": r.state, "kernel": r.kernel, "best": r.best} for r in found]},
        )
    else:
        print_table(
            ("run", "state", "kernel", "candidates"),
            ((r.id, r.state, r.kernel, str(len(r.evaluations))) for r in found),
        )


def landing(found: Run, landed: Landing, output: Format) -> None:
    """The branch, its commit and the diff stat."""
    if output is Format.JSON:
        print_object("kmaint.reintegrate/1", {"run": found.id, "state": "landed", **dump(landed)})
    else:
        print_lines([f"branch {landed.branch} at {landed.commit[:12]}", landed.stat, f"patch {landed.patch_file}"])


def reports(found: Run, written: tuple[Path, Path], output: Format) -> None:
    """The paths of the page and of the pull-request text."""
    if output is Format.JSON:
        print_object(
            "kmaint.report/1",
            {"run": found.id, "state": found.state, "report": str(written[0]), "pull_request": str(written[1])},
        )
    else:
        print_lines(str(path) for path in written)


def maintained(done: Sequence[Maintained], output: Format) -> int:
    """For each kernel: how far it got, and where to read on. The answer is no when nothing was landed."""
    if output is Format.JSON:
        print_object("kmaint.maintain/1", {"kernels": [_maintained_fields(item) for item in done]})
    else:
        for item in done:
            print_lines(_maintained_lines(item))
    return DONE if any(item.landing for item in done) else NO


def _maintained_fields(item: Maintained) -> dict[str, object]:
    landed = dump(item.landing) if item.landing else None
    fields = {
        "id": item.extraction.id,
        "extraction": dump(item.extraction),
        "run": item.run and item.run.id,
        "landing": landed,
    }
    return {
        **fields,
        "state": item.run.state if item.run else item.extraction.state,
        "report": item.report and str(item.report),
    }


def _maintained_lines(item: Maintained) -> list[str]:
    lines = [item.extraction.id]
    if item.run is None:
        return [*lines, f"  {_extraction_line(item.extraction)}"]
    lines.append(f"  {_run_line(item.run)}")
    if item.landing:
        lines += [
            f"  branch  {item.landing.branch} in {item.landing.tree}",
            f"  diff    {item.landing.stat}",
            f"  patch   {item.landing.patch_file}",
        ]
    return [*lines, f"  text    {item.pull_request}", f"  report  {item.report}"]
