"""Which kind of patch a win becomes: the smallest that can carry it, and why none smaller could."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kmaint.errors import UsageError
from kmaint.records.change import Kind, Patch
from reintegrate.kinds import cuda
from reintegrate.kinds.config import config_patch
from reintegrate.kinds.edit import edit_patch
from reintegrate.kinds.guarded import guarded_patch
from reintegrate.kinds.registry import registry_patch, served_elsewhere
from reintegrate.kinds.win import Declined, Win
from reintegrate.patch import patch_of

Attempt = Callable[[], Patch | Declined]


def choose(win: Win, tree: Path) -> Patch:
    """The smallest patch that carries the win, with the reason for its kind.

    UsageError where the winner can be landed in no way, with what each kind needs that it has not.
    """
    declined: dict[str, str] = {}
    for kind, attempt in _attempts(win, tree).items():
        found = attempt()
        if isinstance(found, Patch):
            return replace(found, reason=_told(found.reason, declined))
        declined[kind] = found.reason
    if win.harness.language == "triton":
        patch_of(win.harness, win.source)  # says what is wrong with the winner itself, if that is what it is
    raise UsageError(
        f"no kind of patch can carry this win: {'; '.join(f'{kind}: {why}' for kind, why in declined.items())}",
        "land it by hand, or time it on the workloads that matter to you",
    )


def choose_again(kind: Kind, win: Win, tree: Path) -> Patch | Declined:
    """A patch of the kind that the win was landed as and of no other, for a tree that went on since.

    What stood behind a guard is not to be landed without, and what a guard was made for has to be measured here too.
    """
    makers = {"config": config_patch, "guarded": guarded_patch, "registry": registry_patch}
    return makers[kind](win, tree) if kind in makers else patch_of(win.harness, win.source)


def _attempts(win: Win, tree: Path) -> dict[Kind, Attempt]:
    """The kinds in the order of their size. An operator that serving runs otherwise gets a backend where it can."""
    if win.harness.language == "cuda":
        return {"edit": lambda: cuda.edit.edit_patch(win), "guarded": lambda: cuda.guarded.guarded_patch(win, tree)}
    table: dict[Kind, Attempt] = {"config": lambda: config_patch(win, tree)}
    elsewhere = served_elsewhere(win, tree)
    backend = registry_patch(win, tree) if elsewhere else Declined("serving runs this kernel itself")
    if elsewhere and isinstance(backend, Patch):
        passed_over = Declined(str(elsewhere))
        return {**table, "edit": lambda: passed_over, "guarded": lambda: passed_over, "registry": lambda: backend}
    note = f"{elsewhere}, so this changes a fallback" if elsewhere else ""
    return {
        **table,
        "edit": lambda: _noted(edit_patch(win), note),
        "guarded": lambda: _noted(guarded_patch(win, tree), note),
        "registry": lambda: backend,
    }


def _noted(found: Patch | Declined, note: str) -> Patch | Declined:
    return replace(found, reason=f"{found.reason}; {note}") if note and isinstance(found, Patch) else found


def _told(reason: str, declined: dict[str, str]) -> str:
    """The reason for the kind, after why the smaller ones were not it: kinds with one reason share it."""
    by_reason: dict[str, list[str]] = {}
    for kind, why in declined.items():
        by_reason.setdefault(why, []).append(kind)
    return "; ".join([reason, *(f"no {' and no '.join(kinds)}: {why}" for why, kinds in by_reason.items())])
