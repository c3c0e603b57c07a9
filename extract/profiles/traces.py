"""What a GPU did: names with launches and time, from a torch.profiler trace or an Nsight Systems export."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kmaint.errors import UsageError

CHUNK = 1 << 20
"""Characters read at once: what a trace of any size takes in memory."""

MAX_EVENT = 64 << 20
"""No event is longer: past this the file is no trace."""

EVENTS = re.compile(r'"traceEvents"\s*:\s*\[')
BARE_LIST = re.compile(r"\s*\[")
GPU_CATEGORIES = frozenset({"kernel", "gpu_memcpy", "gpu_memset"})

SQLITE = b"SQLite format 3\x00"
HOW = "record one with torch.profiler (activities=[CPU, CUDA]), or with nsys and 'nsys export --type sqlite'"


@dataclass(slots=True)
class GpuWork:
    """Everything of one name that ran on the GPU, over all streams and processes of a profile."""

    name: str
    launches: int = 0
    total_us: float = 0.0


def read_traces(paths: list[Path]) -> list[GpuWork]:
    """GPU work of all traces together by name, longest first. UsageError where there is none, or no trace."""
    found: dict[str, GpuWork] = {}
    for path in paths:
        for name, microseconds, launches in _reader(path)(path):
            work = found.setdefault(name, GpuWork(name))
            work.launches += launches
            work.total_us += microseconds
    if not found:
        raise UsageError(f"{', '.join(map(str, paths))}: no GPU work in it", HOW)
    return sorted(found.values(), key=lambda work: (-work.total_us, work.name))


def trace_files(given: list[Path]) -> list[Path]:
    """The traces named, and those in the folders named: vLLM and SGLang write one for each rank."""
    found: list[Path] = []
    for path in given:
        inside = (
            sorted(p for p in path.iterdir() if p.name.endswith((".json", ".json.gz", ".sqlite")))
            if path.is_dir()
            else [path]
        )
        if not inside:
            raise UsageError(f"{path}: no .json, .json.gz or .sqlite in it", HOW)
        found += inside
    return found


Row = tuple[str, float, int]
"""Name, microseconds, launches."""


def _reader(path: Path) -> Callable[[Path], Iterator[Row]]:
    try:
        with path.open("rb") as file:
            head = file.read(len(SQLITE))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}", HOW) from error
    if head == SQLITE:
        return _read_nsight
    if path.suffix == ".nsys-rep":
        raise UsageError(f"{path}: an Nsight Systems report", f"export it: nsys export --type sqlite {path}")
    return _read_chrome


def _read_chrome(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with _opened(path, packed=packed) as stream:
        try:
            for event in _events(stream, path):
                if event.get("ph") == "X" and event.get("cat") in GPU_CATEGORIES:
                    yield str(event.get("name", "")), float(event.get("dur", 0)), 1
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UsageError(f"{path}: ends before its data does: {error}", "copy it again, whole") from error


def _opened(path: Path, *, packed: bool) -> IO[str]:
    if packed:
        return gzip.open(path, "rt", encoding="utf-8", errors="replace")
    return path.open(encoding="utf-8", errors="replace")


def _events(stream: IO[str], path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a trace's event list, one at a time."""
    decoder, text = json.JSONDecoder(), stream.read(CHUNK)
    start = BARE_LIST.match(text)
    while start is None and (start := EVENTS.search(text)) is None:
        more = stream.read(CHUNK)
        if not more:
            raise UsageError(f"{path}: no trace: no list of traceEvents in it", HOW)
        text = text[-64:] + more  # the key may lie across two reads
    place = start.end()
    while True:
        place = _skip(text, place)
        if text[place : place + 1] == "]":
            return
        try:
            event, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            more = stream.read(CHUNK)
            if not more or len(text) - place > MAX_EVENT:
                raise UsageError(f"{path}: broken after an event: {error.msg}", "record or copy it again") from error
            text, place = text[place:] + more, 0
        else:
            if isinstance(event, dict):
                yield event


SEPARATORS = re.compile(r"[\s,]*")


def _skip(text: str, place: int) -> int:
    found = SEPARATORS.match(text, place)
    return found.end() if found else place


NSIGHT_KERNELS = """
SELECT coalesce(d.value, s.value, m.value), sum(k.end - k.start) / 1000.0, count(*)
FROM CUPTI_ACTIVITY_KIND_KERNEL k
LEFT JOIN StringIds d ON d.id = k.demangledName
LEFT JOIN StringIds s ON s.id = k.shortName
LEFT JOIN StringIds m ON m.id = k.mangledName
GROUP BY 1
"""
NSIGHT_OTHERS = {
    "CUPTI_ACTIVITY_KIND_MEMCPY": "[memory copies]",
    "CUPTI_ACTIVITY_KIND_MEMSET": "[memory sets]",
    "CUPTI_ACTIVITY_KIND_GRAPH_TRACE": "[CUDA graphs recorded as a whole: profile with --cuda-graph-trace=node]",
}


def _read_nsight(path: Path) -> Iterator[Row]:
    """Tables as Nsight Systems documents them: times in nanoseconds, names as numbers into StringIds."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "CUPTI_ACTIVITY_KIND_KERNEL" in tables:
                yield from database.execute(_with_columns(database))
            for table, name in NSIGHT_OTHERS.items():
                if table in tables:
                    query = f"SELECT sum(end - start) / 1000.0, count(*) FROM {table}"  # noqa: S608 - our own names
                    total, launches = database.execute(query).fetchone()
                    if launches:
                        yield name, float(total), int(launches)
    except sqlite3.DatabaseError as error:
        raise UsageError(f"{path}: no export of Nsight Systems: {error}", HOW) from error


def _with_columns(database: sqlite3.Connection) -> str:
    """The query for the columns that this release of Nsight wrote: older ones have no mangled name."""
    present = {row[1] for row in database.execute("PRAGMA table_info(CUPTI_ACTIVITY_KIND_KERNEL)")}
    query = NSIGHT_KERNELS
    for alias, column in (("d", "demangledName"), ("s", "shortName"), ("m", "mangledName")):
        if column not in present:
            query = query.replace(f"LEFT JOIN StringIds {alias} ON {alias}.id = k.{column}\n", "")
            query = query.replace(f"{alias}.value", "NULL")
    return query
