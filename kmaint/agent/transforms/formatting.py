"""The one place that formats edited sources: changed statements only, as the frameworks' own formatter writes them."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from kmaint.child import run_child
from kmaint.errors import MissingError

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
            text = _format_lines(text, first + 1, last)
    return text


def _format_lines(text: str, first: int, last: int) -> str:
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.is_file():
        raise MissingError(f"no ruff beside {sys.executable}", "install kmaint in an environment of its own")
    # A range ends inside its last line: one that ends at the start of the next would format that line too.
    end = len(text.splitlines()[last - 1])
    span = f"{first}:1-{last}:{max(end, 1)}"
    words: list[str | Path] = [ruff, "format", "--isolated", "--line-length", str(COLUMNS), "--range", span, "-"]
    done = run_child(words, timeout_s=60, stdin=text)
    assert done.code == 0, done.stderr
    return done.stdout
