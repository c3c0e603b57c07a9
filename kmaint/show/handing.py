"""What commands of a handed-off run print: the request that waits, and the verdict on an answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kmaint.console import DONE, NO, Format, print_lines, print_object
from kmaint.records.evaluation import Evaluation, Passed
from kmaint.records.run import Run
from kmaint.show.harnesses import verdict_fields, verdict_line
from kmaint.show.runs import waiting_lines


def request(found: Run, waits: Path | None, output: Format) -> int:
    """Where the request lies and how to answer; the answer is no where the run asks for nothing any more."""
    if output is Format.JSON:
        print_object("kmaint.next/1", {"run": found.id, "state": found.state, "request": waits and str(waits)})
    else:
        print_lines(_next_lines(found, waits))
    return DONE if waits else NO


def submitted(found: Run, judged: Sequence[Evaluation], waits: Path | None, output: Format) -> int:
    """The verdicts and what is asked next; the answer is no where the first of them is anything but passed."""
    if output is Format.JSON:
        said = [_candidate(one) for one in judged]
        brought = {"candidate": said[0] if said else None, "others": said[1:]}
        answer = {"run": found.id, "state": found.state, **brought, "request": waits and str(waits)}
        print_object("kmaint.submit/1", answer)
    else:
        lines = [f"candidate {one.candidate.id}: {verdict_line(one)}" for one in judged]
        print_lines([*(lines or [_kept(found)]), *_next_lines(found, waits)])
    return DONE if not judged or isinstance(judged[0].verdict, Passed) else NO


def _kept(found: Run) -> str:
    if found.state != "running":
        return "kept, and not judged: the budget was spent first, and a larger one judges it"
    return "kept: it is weighed against the other answers to this turn, and the best of them is judged"


def _candidate(judged: Evaluation) -> dict[str, object]:
    return {"id": judged.candidate.id, "edit": judged.candidate.plan.edit, **verdict_fields(judged)}


def _next_lines(found: Run, waits: Path | None) -> list[str]:
    return waiting_lines(found, waits) if waits else [f"run {found.id} asks for nothing more: {found.state}"]
