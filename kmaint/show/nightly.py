"""What a night came to: a line a step, or one object, and the summary where a workflow wants it."""

from __future__ import annotations

from pathlib import Path

from kmaint.console import DONE, NO, Format, print_lines, print_object, print_table
from kmaint.records.night import Night
from kmaint.wire import dump


def night(found: Night, page: Path, summary: Path | None, output: Format) -> int:
    """How each step ended and what became of each kernel; the answer is no where a step failed."""
    if summary is not None:
        with summary.open("a") as file:  # others have written into it before
            file.write(page.read_text())
    if output is Format.JSON:
        print_object("kmaint.nightly/1", {**dump(found), "summary": str(page)})
    else:
        print_table(("step", "", ""), [(step.name, step.state, step.said) for step in found.steps])
        if found.taken:
            print_lines([""])
            print_table(
                ("kernel", "", "branch", ""),
                [(one.kernel, one.state, one.branch or "", one.reason) for one in found.taken],
            )
        print_lines(["", f"night {found.id}: {page}"])
    return NO if any(step.state == "failed" for step in found.steps) else DONE
