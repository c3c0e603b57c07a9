"""Which kind of patch a win becomes: the smallest that can carry it, and why none smaller could."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kmaint.errors import UsageError
from kmaint.records.change import Patch
from reintegrate.kinds.config import config_patch
from reintegrate.kinds.cuda import cuda_patch
from reintegrate.kinds.edit import edit_patch
from reintegrate.kinds.guarded import guarded_patch
from reintegrate.kinds.registry import registry_patch, served_elsewhere
from reintegrate.kinds.win import Declined, Win
from reintegrate.patch import patch_of

Attempt = Callable[[Win, Path], Patch | Declined]


def choose(win: Win, tree: Path) -> Patch:
    """The smallest patch that carries the win, with the reason for its kind.

    UsageError where the winner can be landed in no way, with what each kind needs that it has not.
    """
    if win.harness.language == "cuda":
        return cuda_patch(win)
    declined: dict[str, str] = {}
    for kind, attempt in ATTEMPTS.items():
        found = attempt(win, tree)
        if isinstance(found, Patch):
            return replace(found, reason=_told(found.reason, declined))
        declined[kind] = found.reason
    patch_of(win.harness, win.source)  # says what is wrong with the winner itself, if that is what it is
    raise UsageError(
        f"no kind of patch can carry this win: {'; '.join(f'{kind}: {why}' for kind, why in declined.items())}",
        "land it by hand, or time it on the workloads that matter to you",
    )


def _in_place(win: Win, tree: Path) -> Patch | Declined:
    elsewhere = served_elsewhere(win, tree)
    if elsewhere and registry_fits(win, tree):
        return Declined(elsewhere.why)
    found = edit_patch(win)
    if elsewhere and isinstance(found, Patch):
        return replace(found, reason=f"{found.reason}; {elsewhere.why}, so it changes the fallback only")
    return found


def _beside(win: Win, tree: Path) -> Patch | Declined:
    elsewhere = served_elsewhere(win, tree)
    if elsewhere and registry_fits(win, tree):
        return Declined(elsewhere.why)
    return guarded_patch(win, tree)


def registry_fits(win: Win, tree: Path) -> bool:
    return isinstance(registry_patch(win, tree), Patch)


def _told(reason: str, declined: dict[str, str]) -> str:
    """The reason for the kind, after why the smaller ones were not it."""
    passed_over = [f"no {kind}: {why}" for kind, why in declined.items() if why]
    return "; ".join([reason, *passed_over])


ATTEMPTS: dict[str, Attempt] = {
    "config": config_patch,
    "edit": _in_place,
    "guarded": _beside,
    "registry": registry_patch,
}
