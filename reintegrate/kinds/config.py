"""A tuned configuration: the rows that a winner's launches stand for, in the file that the framework looks for."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

from kmaint.errors import InternalError, UsageError
from kmaint.expression import evaluate
from kmaint.folder import sha256
from kmaint.records.change import Check, NewFile, Patch
from reintegrate.kinds.launches import Launch, Pair, paired
from reintegrate.kinds.tables import PARAMETERS, Reader, Row, Table, table_of
from reintegrate.kinds.win import Declined, Win

Key = tuple[tuple[str, object], ...]


def config_patch(win: Win, tree: Path) -> Patch | Declined:
    """Rows for the sizes on which it was measured to win; all other sizes keep what serves them today.

    UsageError where the tree serves these sizes with another configuration than the one that was measured against.
    """
    origin = win.harness.provenance
    table = table_of(origin.framework, win.harness.kernel)
    if table is None:
        return Declined("no table of the framework holds this kernel's launch parameters")
    if win.evaluation.environment.device is None or not win.won():
        return Declined(win.unknown or "a row of a table is for one device, and it was timed on none")
    path = f"{_above_package(origin.path, origin.framework)}{table.path}" if table.path else origin.path
    if not (tree / path).is_file():
        return Declined(f"{path}, which reads its table, is not in the tree")
    pairs = paired(win, PARAMETERS, table.follows)
    if isinstance(pairs, Declined):
        return pairs
    reader = Reader(table=table, root=tree, path=path, environment=win.evaluation.environment)
    files = [_file(reader, found, win) for found in _by_key(reader, pairs, win).values()]
    if not files:
        return Declined("on the workloads that it wins it launches as shipped, or such launches have no table")
    return Patch(
        edits=(),
        files={},
        kind="config",
        reason=_reason(table, win),
        new=tuple(files),
        shown=(_read_back(reader, files, pairs, win),),
    )


def _above_package(path: str, framework: str) -> str:
    """What stands before the package's folder in a path of the tree: `python/` in SGLang's repository."""
    return path[: path.index(f"{framework}/")] if f"{framework}/" in path else ""


def _by_key(reader: Reader, pairs: dict[str, Pair], win: Win) -> dict[Key, dict[str, Pair]]:
    """The timed workloads by the file that serves them; only files in which one of them is to change."""
    found: dict[Key, dict[str, Pair]] = defaultdict(dict)
    won = {one.name for one in win.won()}
    for workload, _ in win.timed():
        pair = pairs[workload.name]
        if _speaks(reader.table, pair.shipped):
            found[reader.key(pair.shipped)][workload.name] = pair
    return {
        key: of_key
        for key, of_key in found.items()
        if any(name in won and row_of(pair.winner) != row_of(pair.shipped) for name, pair in of_key.items())
    }


def _speaks(table: Table, launch: Launch) -> bool:
    return bool(evaluate(table.when, launch.facts()))


def row_of(launch: Launch) -> Row:
    """A launch's parameters, as a table's row has them."""
    return {name: launch.arguments[name] for name in PARAMETERS if launch.arguments.get(name) is not None}


def _file(reader: Reader, of_key: dict[str, Pair], win: Win) -> NewFile:
    key = reader.key(next(iter(of_key.values())).shipped)
    path, shipped = reader.look_up(key)
    won = {one.name for one in win.won()}
    rows = dict(shipped) if shipped else _without_table(reader, path, of_key)
    for name, pair in of_key.items():
        size = reader.size(pair.shipped)
        served = _nearest(shipped or rows, size)
        if shipped and served != row_of(pair.shipped):
            raise UsageError(
                f"{path} serves size {size} with {served}, but the win was measured against {row_of(pair.shipped)}",
                "optimize it again from the configuration that the tree has",
            )
        rows[size] = row_of(pair.winner) if name in won else served
    stands = reader.root / path
    return NewFile(
        path=path,
        text=_written(rows),
        part="table",
        replaces=sha256(stands.read_bytes()) if stands.is_file() else "",
    )


def _without_table(reader: Reader, path: str, of_key: dict[str, Pair]) -> dict[int, Row]:
    """What serves today at the sizes that the framework's other tables have: a table speaks for every size."""
    launch = next(iter(of_key.values())).shipped
    sizes = _usual_sizes(reader.root / path)
    if reader.table.default:
        return reader.defaults(launch, sizes)
    measured = {reader.size(pair.shipped): row_of(pair.shipped) for pair in of_key.values()}
    return {size: _nearest(measured, size) for size in sizes}


def _usual_sizes(path: Path) -> list[int]:
    """The sizes that most tables beside that one have, in it or in folders beside it."""
    counted: Counter[tuple[int, ...]] = Counter()
    for other in [*path.parent.glob("*.json"), *path.parent.parent.glob("*/*.json")]:
        rows = json.loads(other.read_text())
        sizes = tuple(int(size) for size in rows if str(size).isdigit()) if isinstance(rows, dict) else ()
        if sizes:
            counted[sizes] += 1
    return list(counted.most_common(1)[0][0]) if counted else [1 << power for power in range(13)]


def _written(rows: dict[int, Row]) -> str:
    return json.dumps({str(size): rows[size] for size in sorted(rows)}, indent=4) + "\n"


def _read_back(reader: Reader, files: list[NewFile], pairs: dict[str, Pair], win: Win) -> Check:
    """The framework's own lookup, with the files written, gives each winning size the winner's parameters."""
    patched = replace(reader, written={file.path: file.text for file in files})
    won, rows = {one.name for one in win.won()}, 0
    for name, pair in pairs.items():
        if name in won and _speaks(reader.table, pair.shipped):
            path, found = patched.look_up(reader.key(pair.shipped))
            if not found or _nearest(found, reader.size(pair.shipped)) != row_of(pair.winner):
                raise InternalError(f"{path}: {reader.table.lookup} does not give {name} its row", "please report this")
            rows += 1
    return Check(
        name=f"{reader.table.lookup} reads the table",
        state="passed",
        detail=f"run from {reader.path} for {win.evaluation.environment.device} and triton "
        f"{win.evaluation.environment.triton}: {rows} measured size{'s' * (rows != 1)} get the winner's parameters",
    )


def _nearest(rows: dict[int, Row], size: int) -> Row:
    """As both frameworks choose: the row of the nearest size, the smaller one of two."""
    return rows[min(rows, key=lambda known: abs(known - size))]


def _reason(table: Table, win: Win) -> str:
    lost = f"; {len(win.lost())} sizes where it lost keep their row" if win.lost() else ""
    also = f"; the row steers {table.also}" if table.also else ""
    return f"its launches differ from the shipped ones in parameters that {table.lookup} serves{lost}{also}"
