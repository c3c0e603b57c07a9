"""What became of each mutant, kept in the harness's folder as it comes: a killed run goes on where it was."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from kmaint import wire
from kmaint.folder import KERNEL, REFERENCE, SHIMS, SUITE, WORKLOADS
from kmaint.records.mutation import Judged, Mutant

KEPT = "mutation.jsonl"
RULES = 2
"""Raised when it is decided otherwise what became of a mutant: what was kept before counts no more."""
JUDGES = (KERNEL, SHIMS, WORKLOADS, REFERENCE, SUITE)


class Kept:
    """The lines of a folder's mutation.jsonl that are about this kernel, contract, suite and runtime.

    Others are left where they are and not looked at; a line that a kill cut short is no line.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._key = folder / KEPT, _key(folder)
        self._known: dict[str, Judged] = {}
        text = self._path.read_text() if self._path.is_file() else ""
        for line in text.splitlines():
            with contextlib.suppress(ValueError, KeyError):
                entry = json.loads(line)
                if entry["key"] == self._key:
                    found = wire.load(Judged, entry["judged"])
                    self._known[found.id] = found
        self._cut_short = bool(text) and not text.endswith("\n")

    def find(self, mutant: Mutant) -> Judged | None:
        """What became of a mutant in an earlier run; in the words of today's catalogue."""
        found = self._known.get(mutant.id)
        if found is None:
            return None
        words = {key: value for key, value in vars(mutant).items() if key != "source"}
        return Judged(**{**vars(found), **words})

    def add(self, judged: Judged) -> None:
        """Write one down."""
        with self._path.open("a") as file:
            start = "\n" if self._cut_short else ""
            file.write(f"{start}{wire.text({'key': self._key, 'judged': judged})}\n")
        self._cut_short = False


def _key(folder: Path) -> str:
    """Digest of all that decides what becomes of a mutant, beside its source."""
    files = [*(folder / name for name in JUDGES), *sorted((folder / "runtime").glob("*.py"))]
    return wire.digest([RULES, *(file.read_text() if file.is_file() else "" for file in files)])
