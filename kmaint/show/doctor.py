"""What a machine can do, as people read it; and the exit code that a script acts on."""

from __future__ import annotations

from kmaint.console import DONE, Format, print_lines, print_object, print_table
from kmaint.errors import MissingError
from kmaint.records.machine import Diagnosis
from kmaint.wire import dump


def diagnosis(found: Diagnosis, output: Format) -> int:
    """One line a finding, how to get what is missing, and whether the purpose can be served."""
    if output is Format.JSON:
        print_object("kmaint.doctor/1", {"works": not found.lacking, **dump(found)})
    else:
        print_table(
            ("", "", "found", "used for"),
            [(one.standing, one.name, one.found, one.used_for) for one in found.findings],
        )
        print_lines(["", *(f"{one.name}: {one.get}" for one in found.findings if one.standing != "ok" and one.get)])
        lacking = f"cannot: it lacks {', '.join(found.lacking)}" if found.lacking else "can be done here"
        print_lines([f"{found.purpose}: {lacking}"])
    return MissingError.exit_code if found.lacking else DONE
