"""The one place that formats edited sources: changed statements only, as the frameworks' own formatter writes them."""

from __future__ import annotations

import difflib

from kmaint.formatting import format_python

COLUMNS = 88
"""Both frameworks format at 88 columns; kmaint itself does not."""


def format_changed(before: str, after: str) -> str:
    """`after` with the statements that differ from `before` formatted; every other line stays as it is."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    changes = difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes()
    text = after
    # From the end, so that the lines of the hunks still to come keep their numbers.
    for tag, _, _, first, last in reversed(changes):
        if tag in ("insert", "replace"):
            text = format_python(text, columns=COLUMNS, lines=(first + 1, last))
    return text
