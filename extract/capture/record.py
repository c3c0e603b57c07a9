"""From what the processes of a capture wrote to one record; that to a file, a Call a line, and back."""

from __future__ import annotations

import json
import re
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from extract.capture.plan import Target
from extract.capture.recorder import FAILED, FIRST, OVERFLOW
from kmaint import wire
from kmaint.errors import UsageError
from kmaint.folder import write_text
from kmaint.records.call import Call, Capture, Watched
from kmaint.records.kernel import Release

SCHEMA = "kmaint.capture/1"
BITS = re.compile(r"\d+")


def merge(folder: Path, targets: Sequence[Target], limit: int, release: Release, source: str) -> Capture:
    """What all processes that wrote into the folder saw together; also of those that were killed, or still run."""
    ways: dict[tuple[int, str], _Way] = {}
    beyond, failed = [0] * len(targets), [0] * len(targets)
    machines: dict[str, None] = {}
    parts = sorted(folder.glob("*.jsonl"))
    for part in parts:
        counts = _counts(part.with_suffix(".counts"))
        for index in range(len(targets)):
            beyond[index] += counts[index * (limit + FIRST) + OVERFLOW]
            failed[index] += counts[index * (limit + FIRST) + FAILED]
        for line in _lines(part):
            if "process" in line:
                machines |= dict.fromkeys(_machine(line))
                continue
            key = (line["watched"], _identity(line["arguments"]))
            way = ways.setdefault(key, _Way(line["arguments"]))
            way.add(counts[line["counter"]], line)
    by_target: dict[int, list[_Way]] = defaultdict(list)
    for (index, _), way in ways.items():
        if way.count:
            by_target[index].append(way)
    watched = [_watched(target, by_target[index], beyond[index], failed[index]) for index, target in enumerate(targets)]
    calls = [
        wire.load(
            Call,
            {"launcher": targets[index].id, "arguments": way.arguments, "count": way.count, "origin": "captured"}
            | {"source": source},
        )
        for index, found in by_target.items()
        for way in found
    ]
    return Capture(
        release=release,
        machine=tuple(machines),
        processes=len(parts),
        watched=tuple(sorted(watched, key=lambda one: (-one.calls, one.id))),
        calls=tuple(sorted(calls, key=lambda call: (call.launcher, -call.count))),
    )


class _Way:
    """One way of calling, over all processes; of index tensors' values the first process that kept some decides."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments, self.count, self.in_graph = arguments, 0, 0

    def add(self, count: int, line: dict[str, Any]) -> None:
        self.count += count
        if line["graph"]:
            self.in_graph += count
        elif self.in_graph:  # nothing could be read while a graph was captured
            self.arguments = line["arguments"]


def _watched(target: Target, ways: list[_Way], beyond: int, failed: int) -> Watched:
    return Watched(
        id=target.id,
        calls=sum(way.count for way in ways) + beyond + failed,
        distinct=len(ways),
        beyond=beyond,
        failed=failed,
        in_graph=sum(way.in_graph for way in ways),
    )


def _counts(path: Path) -> tuple[int, ...]:
    content = path.read_bytes()
    return struct.unpack(f"={len(content) // 8}Q", content)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Each whole line; a process that was killed while it wrote leaves a torn last one, whose counter is still 0."""
    for text in path.read_text().splitlines(keepends=True):
        if text.endswith("\n"):
            yield json.loads(text)


def _machine(line: dict[str, Any]) -> Iterator[str]:
    if line["device"]:
        yield line["device"]
    yield f"torch {line['torch']}"
    yield f"Python {line['python']}"


def _identity(value: Any) -> str:
    """Equal for arguments that a harness would make alike: contents and exact offsets aside."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _plain(item) for name, item in value.items() if name not in ("values", "low", "high")}
    if "offset" in kept:
        kept["offset"] = kept["offset"] * _itemsize(kept["dtype"]) % 16
    return kept


def _itemsize(dtype: str) -> int:
    """Bytes of a torch dtype by its name: `float8_e4m3fn` is 1, `bool` too."""
    bits = BITS.search(dtype)
    return max(1, int(bits.group()) // 8) if bits else 1


def write_record(capture: Capture, path: Path) -> None:
    """One JSON object a line: the capture without its calls, then each call."""
    header = wire.dump(capture)
    calls = header.pop("calls")
    lines = [{"schema": SCHEMA, **header}, *calls]
    write_text(path, "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))


def read_capture(path: Path) -> Capture:
    """A record as `kmaint capture` wrote it; UsageError where the file is another thing."""
    try:
        header, *calls = (json.loads(line) for line in path.read_text().splitlines())
        if header.pop("schema") != SCHEMA:
            raise ValueError(SCHEMA)
        return wire.load(Capture, {**header, "calls": calls})
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}", "make one with 'kmaint capture'") from error
    except (ValueError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{path}: no record of a capture", "make one with 'kmaint capture -o FILE -- COMMAND'"
        ) from error


def read_record(path: Path) -> list[Call]:
    """The calls of a record, each with the origin "captured"; UsageError where the file is another thing."""
    return list(read_capture(path).calls)
