"""What commands on runs print: how each stands, what was landed and written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kmaint.agent import choose_winner
from kmaint.console import (
    DONE,
    NO,
    Format,
    print_lines,
    print_object,
    print_table,
)
from kmaint.folder import KERNEL
from kmaint.records.change import Check, Landing
from kmaint.records.evaluation import Evaluation, speedup
from kmaint.records.run import Run
from kmaint.roofline import to_be_left
from kmaint.show.harnesses import interval, verdict_fields, verdict_line
from kmaint.show.trees import extraction_line
from kmaint.wire import dump

if TYPE_CHECKING:
    from kmaint.workflow import Listed, Maintained  # a scan needs no stage but extract


NO_RUN = "no run is in the state folder: 'kmaint optimize' begins one"

UNITS = (("d", 86400), ("h", 3600), ("min", 60))


def run(found: Run, output: Format, *, waits: Path | None = None) -> int:
    """A run's candidates and its winner; the answer is no without one, unless it waits with a request."""
    if output is Format.JSON:
        print_object(
            "kmaint.optimize/1",
            {
                "run": found.id,
                "state": found.state,
                "best": found.best,
                "left": to_be_left(found.baseline) if found.state == "at_roofline" else None,
                "candidates": [_candidate(e) for e in found.evaluations],
                "request": waits and str(waits),
            },
        )
    else:
        if found.evaluations:
            print_table(
                ("candidate", "edit", "verdict"),
                ((e.candidate.id, e.candidate.plan.edit, verdict_line(e)) for e in found.evaluations),
            )
        print_lines([_run_line(found), *(waiting_lines(found, waits) if waits else [])])
    return DONE if found.winner or waits else NO


def waiting_lines(found: Run, request: Path) -> list[str]:
    """What a run asks for, and how to answer."""
    file = min(request.glob("kernel.*"), default=request / KERNEL)
    return [
        f"request {request}: read TASK.md there, edit {file.name}",
        f"answer with: kmaint submit {found.id} {file}",
    ]


def _candidate(found: Evaluation) -> dict[str, object]:
    return {"id": found.candidate.id, "edit": found.candidate.plan.edit, **verdict_fields(found)}


def _run_line(found: Run) -> str:
    if found.state == "at_roofline":
        return f"run {found.id}: {found.state}, so no candidate was tried: {to_be_left(found.baseline)}"
    if found.winner is None:
        return f"run {found.id}: {found.state}, no winner among {len(found.evaluations)} candidates"
    winner = found.winner.candidate
    return f"run {found.id}: {found.state}, {winner.id} ({winner.plan.edit}): {verdict_line(found.winner)}"


def runs(found: Sequence[Listed], output: Format) -> None:
    """One line a run: how it stands, its best candidate, and how long ago it was begun."""
    if output is Format.JSON:
        print_object("kmaint.runs/1", {"runs": [_listed(one) for one in found]})
    elif not found:
        print_lines([NO_RUN])
    else:
        print_table(
            ("run", "state", "best", "candidates", "provider", "age", "kernel"),
            (
                (
                    one.run.id,
                    one.state,
                    _best(one.run),
                    _tried(one.run),
                    one.run.provider,
                    _age(one.run),
                    one.run.kernel,
                )
                for one in found
            ),
        )


def _listed(one: Listed) -> dict[str, object]:
    run = one.run
    measured = speedup(run.winner) if run.winner else None
    return {
        "run": run.id,
        "state": one.state,
        "kernel": run.kernel,
        "best": run.best,
        "ratio": dump(measured) if measured else None,
        "candidates": len(run.evaluations),
        "provider": run.provider,
        "created": run.created,
    }


def _best(run: Run) -> str:
    """The winner's edit with its speedup; where there is none yet, the best so far; at the roofline, why none is."""
    if run.state == "at_roofline":
        return to_be_left(run.baseline)
    best = run.winner or choose_winner(run.evaluations)
    if best is None:
        return ""
    measured = speedup(best)
    return f"{interval(measured) if measured else 'not timed'}: {best.candidate.plan.edit}"


def _tried(run: Run) -> str:
    return str(len(run.evaluations)) + (f" of {run.budget.candidates}" if run.state == "running" else "")


def _age(run: Run) -> str:
    """How long ago the run was begun, in the largest unit that there is one of."""
    begun = datetime.fromisoformat(run.created)
    seconds = (datetime.now(UTC) - (begun if begun.tzinfo else begun.replace(tzinfo=UTC))).total_seconds()
    unit, of = next(((unit, of) for unit, of in UNITS if seconds >= of), ("s", 1))
    return f"{seconds // of:.0f} {unit}"


def landing(found: Run, landed: Landing, output: Format) -> None:
    """The branch, its commit and the diff stat."""
    if output is Format.JSON:
        print_object("kmaint.reintegrate/1", {"run": found.id, "state": "landed", **dump(landed)})
    else:
        print_lines([f"branch {landed.branch} at {landed.commit[:12]}", landed.stat, f"patch {landed.patch_file}"])
        print_lines([f"{landed.kind}: {landed.reason}", *(check_line(check) for check in landed.checks)])


def check_line(check: Check) -> str:
    """One check of a landing, its state first."""
    return f"{check.state.replace('_', ' '):8} {check.name}{f': {check.detail}' if check.detail else ''}"


def reports(found: Run, written: tuple[Path, Path], output: Format) -> None:
    """The paths of the page and of the pull-request text."""
    if output is Format.JSON:
        print_object(
            "kmaint.report/1",
            {"run": found.id, "state": found.state, "report": str(written[0]), "pull_request": str(written[1])},
        )
    else:
        print_lines(str(path) for path in written)


def campaign(page: Path, left_out: Sequence[str], output: Format) -> None:
    """The path of the page, and which runs are not on it."""
    if output is Format.JSON:
        print_object("kmaint.campaign/1", {"report": str(page), "left_out": list(left_out)})
    else:
        print_lines([str(page), *(f"left out: {line}" for line in left_out)])


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
            f"  kind    {item.landing.kind}: {item.landing.reason}",
            f"  patch   {item.landing.patch_file}",
        ]
    return [*lines, f"  text    {item.pull_request}", f"  report  {item.report}"]
