"""Counts how often a process comes by places of a patch; each process writes a file of its own.

Imported by a copy of an engine that counts, and by its sitecustomize.py, so that a data file that is read counts too.
Written at each power of two: what an engine's workers counted is there however they end.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

COUNTS: dict[str, int] = {}
FOLDER = os.environ.get("KMAINT_ENGAGED", "")
DATA = frozenset(json.loads(os.environ.get("KMAINT_ENGAGED_DATA", "[]")))


def came_by(place: str) -> None:
    """One more time."""
    count = COUNTS[place] = COUNTS.get(place, 0) + 1
    if FOLDER and count & (count - 1) == 0:
        path = os.path.join(FOLDER, f"{os.getpid()}.json")  # noqa: PTH118 - imported before anything else is
        with open(path + ".new", "w") as file:  # noqa: PTH123
            json.dump(COUNTS, file)
        os.replace(path + ".new", path)  # noqa: PTH105


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str) and arguments[0] in DATA:
        came_by(arguments[0])


# What a process counted before it forked is in a file already: its child would write it again.
os.register_at_fork(after_in_child=COUNTS.clear)
if DATA:
    sys.addaudithook(_heard)
