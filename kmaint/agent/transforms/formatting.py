"""The one place that formats edited sources: changed statements only, as the frameworks' own formatter writes them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from kmaint.formatting import format_python

COLUMNS = 88
"""Both frameworks format at 88 columns; kmaint itself does not."""
NUMBER = re.compile(r"\b\d+\b")


def format_changed(before: str, after: str) -> str:
    """`after` with the statements that differ from `before` formatted; every other line stays as it is."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    changes = difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes()
    text = after
    # From the end, so that the lines of the hunks still to come keep their numbers.
    for tag, start, end, first, last in reversed(changes):
        if tag in ("insert", "replace") and not _numbers_only(old[start:end], new[first:last]):
            text = format_python(text, columns=COLUMNS, lines=(first + 1, last))
    return text


def _numbers_only(old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether lines differ in numbers alone, none is shorter and all fit: they are as well formatted as they were."""
    same = len(old) == len(new) and all(
        NUMBER.split(before) == NUMBER.split(after) for before, after in zip(old, new, strict=True)
    )
    return same and all(len(before) <= len(after) <= COLUMNS + 1 for before, after in zip(old, new, strict=True))
