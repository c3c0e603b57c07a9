"""A winner in CUDA C++: the lines of the kernel's file that it changes, each group of them an edit by its span."""

from __future__ import annotations

import difflib
from pathlib import PurePosixPath

from kmaint.errors import HarnessError, UsageError
from kmaint.folder import sha256
from kmaint.records.change import Edit, Patch
from reintegrate.kinds.win import Win
from reintegrate.patch import split_lines


def cuda_patch(win: Win) -> Patch:
    """The changed lines of the file that the kernel stands in; the winner is that whole file.

    UsageError where nothing is changed; HarnessError where the harness's file is not the tree's any more.
    """
    origin = win.harness.provenance
    original = (win.harness.folder / f"kernel{PurePosixPath(origin.path).suffix}").read_text()
    if sha256(original) != origin.files[origin.path]:
        raise HarnessError(f"{win.harness.folder}: its CUDA source is not {origin.path} any more", "extract it again")
    return file_patch(origin.path, win.harness.kernel, original, win.source)


def file_patch(path: str, symbol: str, before: str, after: str) -> Patch:
    """The lines that differ between two texts of a file of CUDA C++. UsageError where none do."""
    edits = tuple(_edits(path, symbol, split_lines(before), split_lines(after)))
    if not edits:
        raise UsageError(f"the candidate is {symbol} as it stands in the tree", "there is nothing to land")
    return Patch(
        edits=edits,
        files={path: sha256(before)},
        kind="edit",
        reason="CUDA C++ is edited by span: a guard in host code is not written yet",
    )


def _edits(path: str, symbol: str, before: list[str], after: list[str]) -> list[Edit]:
    found: list[Edit] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        if start == end:  # an insertion has no lines of its own: it takes the one above it along, or below
            start, end, new_start, new_end = (
                (start - 1, end, new_start - 1, new_end) if start else (start, end + 1, new_start, new_end + 1)
            )
        found.append(
            Edit(
                path=path,
                symbol=symbol,
                line=start + 1,
                end_line=end,
                before_sha256=sha256("".join(before[start:end])),
                after="".join(after[new_start:new_end]),
            )
        )
    return found
