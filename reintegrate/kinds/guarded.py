"""A guarded variant beside the original: the launcher gets a branch, and all outside the guard runs as before."""

from __future__ import annotations

import contextlib
from pathlib import Path

from kmaint.errors import UsageError
from kmaint.records.change import Check, Patch
from reintegrate.imports import with_import
from reintegrate.kinds.guard import Guard
from reintegrate.kinds.standing import Beside, NeverTakenError, outside_as_shipped, stand_beside, suffix_of
from reintegrate.kinds.variant import beside
from reintegrate.kinds.win import Declined, Win
from reintegrate.names import bound_names


def guarded_patch(win: Win, tree: Path) -> Patch | Declined:
    """The variant, its guard and the branch, as one edit of the launcher's lines; checked under the interpreter.

    UsageError where the file has such names already.
    """
    known = _shown(win, f"_use{beside(win.harness.entry, suffix_of(win))}")
    if isinstance(known, Declined):
        return known
    found, shown = known
    path = found.edit.path
    text = (tree / path).read_text()
    bound = bound_names(text)
    if taken := sorted(set(found.edit.adds) & bound):
        raise UsageError(f"{path}: {taken[0]!r} stands in it already", "an earlier variant is there: revise that")
    if "torch" not in bound:
        return Declined(f"{path} does not import torch, which a guard asks for dtypes")
    edits = [found.edit]
    if found.device.name and found.device.name not in bound:
        edits.insert(0, with_import(path, text, found.device.module, found.device.name))
    return Patch(
        edits=tuple(edits),
        files={path: win.harness.provenance.files[path]},
        kind="guarded",
        reason=why(win, found.guard),
        shown=(shown,),
    )


def _shown(win: Win, name: str) -> tuple[Beside, Check] | Declined:
    """The winner as a variant, with what was seen of its guard: what it adds, or a copy where that is not come by."""
    for whole in (False, True):
        found = stand_beside(win, name, whole=whole)
        if isinstance(found, Declined):
            return found
        with contextlib.suppress(NeverTakenError):
            return found, outside_as_shipped(win, found)
    raise AssertionError("a copy is taken wherever the guard holds")


def why(win: Win, guard: Guard) -> str:
    """On what the guard lets it run, and what it loses or was not measured on."""
    won = {one.name for one in win.won()}
    said = f"it wins on {', '.join(name for name in guard.inside if name in won)}"
    if alike := [name for name in guard.inside if name not in won]:
        said += f", from which no launcher can tell {', '.join(alike)}, where it gains nothing"
    if lost := [one.workload for one in win.lost() if one.workload not in guard.inside]:
        return f"{said} and loses on {', '.join(lost)}"
    return f"{said}, and is kept to what was measured and checked"
