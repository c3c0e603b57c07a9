"""How a worker that imports candidates itself shuts itself in before it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from kmaint.errors import InternalError
from kmaint.evaluate.bench.asking import WORKER, Answer
from kmaint.evaluate.bench.bench import Bench
from kmaint.evaluate.bench.laying import kept_libraries
from kmaint.records.harness import Harness
from kmaint.sandbox import LAUNCHER

Walls = dict[str, Any] | None
"""How a worker shuts itself in; None where it does not."""
UNWALLED = "why timing workers stand behind no walls"
"""In a bench's `known`, once they could not."""


def walls_for(
    harness: Harness, sources: Sequence[Path], bench: Bench, scratch: Path, *, writes: Iterable[Path] = ()
) -> dict[str, Any]:
    """For the `walls` of a request: it may read the harness and the sources, and write the scratch folder and `writes`.

    `words` are empty where this machine has no walls.
    """
    readable = (WORKER.parent, kept_libraries(), *(source.parent.resolve() for source in sources))
    more = [word for path in readable for word in ("--read", str(path))]
    more += [word for path in writes for word in ("--write", str(path))]
    folder = str(harness.folder.resolve())
    words = [word.replace("{view}", folder).replace("{room}", str(scratch)) for word in bench.walls.within]
    return {"launcher": str(LAUNCHER), "words": [*more, *words] if words else []}


def behind_walls(bench: Bench, asked: Callable[[Walls], list[Answer]], walls: Walls) -> list[Answer]:
    """The answers of a worker behind these walls; without, from the first one on that could not start behind them.

    It starts before it imports a candidate, so none can bring that about.
    """
    if UNWALLED not in bench.known and walls and walls["words"]:
        try:
            return asked(walls)
        except InternalError as error:
            bench.known[UNWALLED] = error.message
    return asked(None)
