"""A winner in CUDA C++: the lines of the kernel's file that it changes, each group of them an edit by its span."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import replace
from pathlib import PurePosixPath

from kmaint.errors import HarnessError, UsageError
from kmaint.folder import sha256
from kmaint.records.change import Edit, Patch
from reintegrate.kinds.edit import told, why_not
from reintegrate.kinds.win import Declined, Win
from reintegrate.patch import split_lines

DEMAND = re.compile(r"\b(?:STD_)?TORCH_CHECK(?:_\w+)?\s*\(\s*([^,;]+)|\bRuntimeCheck\s*\(\s*([^,;]+)")
ONLY_ON = re.compile(
    r"\b(wgmma|tcgen05|setmaxnreg|griddepcontrol|multimem|mbarrier|cp\.async\.bulk|__cluster_dims__)\b"
)
"""What PTX and CUDA C++ have for some architectures only."""


def edit_patch(win: Win) -> Patch | Declined:
    """The changed lines of the file that the kernel stands in; the winner is that whole file.

    UsageError where nothing is changed; HarnessError where the harness's file is not the tree's any more.
    """
    before = shipped(win)
    found = file_patch(win.harness.provenance.path, win.harness.kernel, before, win.source)
    if reason := why_not(win, _narrower(before, win.source)):
        return Declined(reason)
    return replace(found, reason=told(win))


def shipped(win: Win) -> str:
    """The kernel's file as it was extracted. HarnessError where the harness's is not that any more."""
    origin = win.harness.provenance
    original = (win.harness.folder / f"kernel{PurePosixPath(origin.path).suffix}").read_text()
    if sha256(original) != origin.files[origin.path]:
        raise HarnessError(f"{win.harness.folder}: its CUDA source is not {origin.path} any more", "extract it again")
    return original


def _narrower(before: str, after: str) -> str:
    """Why the winner takes less than the original does, in one line; empty where nothing says so."""
    for demand in _demands(after) - _demands(before):
        return f"it demands {demand!r}, which the original does not"
    for name in ONLY_ON.findall(after):
        if name not in before:
            return f"it uses {name}, which not every architecture has"
    return ""


def _demands(text: str) -> Counter[str]:
    return Counter(" ".join("".join(found).split()) for found in DEMAND.findall(text))


def file_patch(path: str, symbol: str, before: str, after: str) -> Patch:
    """The lines that differ between two texts of a file of CUDA C++. UsageError where none do."""
    edits = edits_between(path, symbol, before, after)
    if not edits:
        raise UsageError(f"the candidate is {symbol} as it stands in the tree", "there is nothing to land")
    return Patch(edits=edits, files={path: sha256(before)}, kind="edit", reason="CUDA C++ is edited by span")


def edits_between(path: str, symbol: str, before: str, after: str) -> tuple[Edit, ...]:
    """Each group of lines that differ as an edit; one that adds lines takes the line above along, or below."""
    return tuple(_edits(path, symbol, split_lines(before), split_lines(after)))


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
