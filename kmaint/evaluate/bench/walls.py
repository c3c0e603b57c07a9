"""How a worker that imports candidates itself shuts itself in before it does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kmaint.errors import InternalError
from kmaint.evaluate.bench.asking import WORKER, Done, Request, ask
from kmaint.evaluate.bench.bench import Bench
from kmaint.evaluate.bench.laying import kept_libraries
from kmaint.evaluate.workers.turns import taken_at
from kmaint.expression import evaluate
from kmaint.records.harness import Harness
from kmaint.sandbox import DISK_BYTES, LAUNCHER

OPEN_AIR = "why what is timed stands behind no walls"
"""In a bench's `known`: empty where it does."""
OUTCOMES = 8
"""Of one call, as much as a timed worker may write at a time: it brings out what a few of them left."""


def walls_for(harness: Harness, sources: Sequence[Path], bench: Bench, scratch: Path) -> dict[str, Any]:
    """For the `walls` of a request: it may read the harness and the sources, and write the scratch folder.

    `words` are empty where this machine has no walls.
    """
    folder = harness.folder.resolve()
    reads = (WORKER.parent, kept_libraries(), *(source.parent.resolve() for source in sources))
    return _walls(bench, folder, scratch, reads)


def walls_to_time(
    harness: Harness, sources: Sequence[Path], bench: Bench, scratch: Path, *, writes: Iterable[Path] = ()
) -> dict[str, Any] | None:
    """The same for a worker that times, which may write `writes` too; None where `open_air` says that it cannot."""
    if not bench.walls.within or open_air(bench, harness):
        return None
    found = walls_for(harness, sources, bench, scratch)
    more = [word for path in writes for word in ("--write", str(path))]
    words = [str(_disk_bytes(harness)) if word == str(DISK_BYTES) else word for word in found["words"]]
    return {**found, "words": [*more, *words]}


def open_air(bench: Bench, harness: Harness) -> str:
    """Why nothing can be timed behind walls here; empty where it can. Tried once a bench, with no candidate near, in a
    process that starts as those of this harness do."""
    with bench.once(OPEN_AIR):
        if OPEN_AIR not in bench.known:
            bench.known[OPEN_AIR] = _tried(bench, harness.folder.resolve())
        return str(bench.known[OPEN_AIR])


def _tried(bench: Bench, folder: Path) -> str:
    """What is heard of the device in the open and not behind walls, or what can be read there that ought not to be."""
    turns = taken_at(bench.turns) if bench.turns else ()
    with tempfile.TemporaryDirectory(prefix="kmaint-trial-") as name:
        secret, room = Path(name) / "secret", Path(name) / "room"
        secret.write_text("not to be read")
        room.mkdir()
        walls = _walls(bench, folder, room, [WORKER.parent], turns)
        outside, inside = (_heard(bench, folder, secret, one) for one in (None, walls))
    if isinstance(outside, str) or isinstance(inside, str):
        return str(inside if isinstance(inside, str) else outside)
    if lost := sorted(set(outside["heard"]) - set(inside["heard"])):
        return f"nothing is heard of {', '.join(lost)} behind them"
    return "they do not keep a file out that is not the worker's own" if inside["read"] else ""


def _heard(bench: Bench, folder: Path, secret: Path, walls: dict[str, Any] | None) -> dict[str, Any] | str:
    on_gpu, room = bench.device == "cuda", secret.with_name("room")
    shared = {"uuid": bench.environment.device_uuid, "gpu": on_gpu, "scratch": str(room), "secret": str(secret)}
    request = Request(
        command="hear",
        shared={**shared, "walls": walls},
        items=({"path": ""},),
        limit_s=bench.limits_s["survey"],
        harness=folder,
        gpu=on_gpu,
        interpret=not on_gpu,
    )
    try:
        (answer,) = ask(bench, request, room)
    except InternalError as error:  # it does not even start
        return error.message
    return answer.value if isinstance(answer, Done) else answer.text


def _walls(bench: Bench, view: Path, room: Path, reads: Iterable[Path], writes: Iterable[Path] = ()) -> dict[str, Any]:
    more = [word for path in reads for word in ("--read", str(path))]
    more += [word for path in writes for word in ("--write", str(path))]
    words = [word.replace("{view}", str(view)).replace("{room}", str(room)) for word in bench.walls.within]
    return {"launcher": str(LAUNCHER), "words": [*more, *words] if words else []}


def _disk_bytes(harness: Harness) -> int:
    """Of one file: what a call moves at most is more than what it leaves."""
    contract = harness.contract
    moved = [int(evaluate(contract.traffic, one.axes)) for one in contract.timed] if contract.traffic else []
    return max(DISK_BYTES, OUTCOMES * max(moved, default=DISK_BYTES))
