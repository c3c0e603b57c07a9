"""What commands of a handed-off run print: the request that waits, and the verdict on an answer."""

from __future__ import annotations

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


def submitted(found: Run, judged: Evaluation | None, waits: Path | None, output: Format) -> int:
    """The verdict and what is asked next; the answer is no for a verdict that is anything but passed."""
    if output is Format.JSON:
        candidate = judged and _candidate(judged)
        answer = {"run": found.id, "state": found.state, "candidate": candidate, "request": waits and str(waits)}
        print_object("kmaint.submit/1", answer)
    else:
        kept = "kept: it is weighed against the other answers to this turn, and the best of them is judged"
        said = f"candidate {judged.candidate.id}: {verdict_line(judged)}" if judged else kept
        print_lines([said, *_next_lines(found, waits)])
    return DONE if judged is None or isinstance(judged.verdict, Passed) else NO


def _candidate(judged: Evaluation) -> dict[str, object]:
    return {"id": judged.candidate.id, "edit": judged.candidate.plan.edit, **verdict_fields(judged)}


def _next_lines(found: Run, waits: Path | None) -> list[str]:
    return waiting_lines(found, waits) if waits else [f"run {found.id} asks for nothing more: {found.state}"]
