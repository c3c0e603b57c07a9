"""What commands on runs print: how each stands, what was landed and written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kmaint.console import (
    DONE,
    NO,
    Format,
    print_lines,
    print_object,
    print_table,
)
from kmaint.records.change import Landing
from kmaint.records.evaluation import Evaluation
from kmaint.records.run import Run
from kmaint.show.harnesses import verdict_fields, verdict_line
from kmaint.show.trees import extraction_line
from kmaint.wire import dump

if TYPE_CHECKING:
    from kmaint.workflow import Maintained  # a scan needs no stage but extract


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
            ((e.candidate.id, e.candidate.plan.edit, verdict_line(e)) for e in found.evaluations),
        )
        print_lines([_run_line(found)])
    return DONE if found.winner else NO


def _candidate(found: Evaluation) -> dict[str, object]:
    return {"id": found.candidate.id, "edit": found.candidate.plan.edit, **verdict_fields(found)}


def _run_line(found: Run) -> str:
    if found.winner is None:
        return f"run {found.id}: {found.state}, no winner among {len(found.evaluations)} candidates"
    winner = found.winner.candidate
    return f"run {found.id}: {found.state}, {winner.id} ({winner.plan.edit}): {verdict_line(found.winner)}"


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
        return [*lines, f"  {extraction_line(item.extraction)}"]
    lines.append(f"  {_run_line(item.run)}")
    if item.landing:
        lines += [
            f"  branch  {item.landing.branch} in {item.landing.tree}",
            f"  diff    {item.landing.stat}",
            f"  patch   {item.landing.patch_file}",
        ]
    return [*lines, f"  text    {item.pull_request}", f"  report  {item.report}"]
