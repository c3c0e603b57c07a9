"""What is kept of nights: a folder each in the state folder, written after every step and read by later nights."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from kmaint import folder, wire
from kmaint.errors import UsageError
from kmaint.records.night import Changes, Move, Night, Snapshot

Kept = TypeVar("Kept", Night, Snapshot)

PLAIN = re.compile(r"\w[\w.-]*")
NIGHTS, NIGHT, SNAPSHOT, SUMMARY = "nightly", "night.json", "kernels.json", "summary.md"


def open_night(state: Path, name: str | None, framework: str) -> Night:
    """The night of that name as an earlier call left it, else a new one; by default today's, of the framework.

    UsageError where the name is another framework's.
    """
    if name is not None and not PLAIN.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a night", "use letters, digits, dots, dashes and underscores")
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}-{framework}"
    kept = read(state, name or today)
    if kept is None:
        began = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return Night(id=name or today, framework=framework, began=began)
    if kept.framework != framework:
        raise UsageError(
            f"night {kept.id!r} is one of {kept.framework}, not of {framework}", "name another with --night"
        )
    return kept


def place(state: Path, night: Night) -> Path:
    """The night's folder."""
    return state / NIGHTS / night.id


def read(state: Path, name: str) -> Night | None:
    """The night of that name, if there is one."""
    return _load(Night, state / NIGHTS / name / NIGHT)


def keep(state: Path, night: Night) -> None:
    """Write the night down, whole or not at all."""
    folder.write_text(place(state, night) / NIGHT, wire.text(night, indent=1) + "\n")


def keep_snapshot(state: Path, night: Night, snapshot: Snapshot) -> None:
    """Write down what the night's tree holds, for the nights that follow."""
    folder.write_text(place(state, night) / SNAPSHOT, wire.text(snapshot, indent=1) + "\n")


def others(state: Path, night: Night) -> list[Night]:
    """The framework's other nights, those begun last first."""
    found = (_load(Night, path) for path in (state / NIGHTS).glob(f"*/{NIGHT}"))
    same = [one for one in found if one is not None and one.framework == night.framework and one.id != night.id]
    return sorted(same, key=lambda one: (one.began, one.id), reverse=True)


def last_snapshot(state: Path, night: Night) -> Snapshot | None:
    """What the newest night before this one saw; None where this is the first."""
    earlier = (one for one in others(state, night) if one.began <= night.began)
    found = (_load(Snapshot, place(state, one) / SNAPSHOT) for one in earlier)
    return next((snapshot for snapshot in found if snapshot is not None), None)


def _load(kind: type[Kept], path: Path) -> Kept | None:
    """The record in a file, or None where there is none. UsageError where it is no such record."""
    if not path.is_file():
        return None
    try:
        return wire.load(kind, json.loads(path.read_text()))
    except ValueError as error:
        first = str(error).splitlines()[0]
        raise UsageError(
            f"{path}: not as kmaint writes it: {first}", "move it away, or name another --night"
        ) from error


def changes(before: Snapshot, after: Snapshot) -> Changes:
    """What became of the kernels; one that stands elsewhere under the same name with the same text has moved."""
    gone = {name: text for name, text in before.kernels.items() if name not in after.kernels}
    new = {name: text for name, text in after.kernels.items() if name not in before.kernels}
    moved = list(_moves(gone, new))
    return Changes(
        since=before.release,
        added=tuple(sorted(new.keys() - {move.after for move in moved})),
        removed=tuple(sorted(gone.keys() - {move.before for move in moved})),
        changed=tuple(sorted(name for name, text in after.kernels.items() if before.kernels.get(name, text) != text)),
        moved=tuple(moved),
    )


def _moves(gone: dict[str, str], new: dict[str, str]) -> Iterator[Move]:
    """Each new one is taken once, in order of ids: copies of one text stay told apart by how many there are."""
    left = dict(sorted(new.items()))
    for name, text in sorted(gone.items()):
        symbol = name.rpartition("::")[2]
        found = next((one for one, other in left.items() if other == text and one.rpartition("::")[2] == symbol), None)
        if found is not None:
            del left[found]
            yield Move(before=name, after=found)
