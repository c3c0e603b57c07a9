"""From what the processes of a capture wrote to one record; that to a file, a Call a line, and back."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from extract.capture.hook.kmaint_recorder.counting import BEYOND, FAILED, FIRST, TOTAL
from extract.capture.plan import Limits, Target
from extract.tree import locate
from kmaint import wire
from kmaint.errors import UsageError
from kmaint.folder import write_text
from kmaint.records.call import Call, Capture, Watched
from kmaint.records.kernel import Release

SCHEMA = "kmaint.capture/1"
BITS = re.compile(r"\d+")


def merge(folder: Path, targets: Sequence[Target], limits: Limits, release: Release, source: str) -> Capture:
    """What all processes that wrote into the folder saw together; also of those that were killed, or still run."""
    tallies = [_Tally() for _ in targets]
    machines: dict[str, None] = {}
    parts = sorted(folder.glob("*.jsonl"))
    for part in parts:
        counts = _counts(part.with_suffix(".counts"))
        for index, tally in enumerate(tallies):
            tally.add(counts, index * (limits.ways + FIRST), limits.exact)
        for line in _lines(part):
            if "watched" in line:
                tallies[line["watched"]].see(line, counts[line["counter"]])
            else:
                machines |= dict.fromkeys(_machine(line))
    watched = [tally.watched(target) for target, tally in zip(targets, tallies, strict=True)]
    calls = [call for target, tally in zip(targets, tallies, strict=True) for call in tally.calls(target, source)]
    return Capture(
        release=release,
        machine=tuple(machines),
        processes=len(parts),
        watched=tuple(sorted(watched, key=lambda one: (-one.calls, one.id))),
        calls=tuple(sorted(calls, key=lambda call: (call.launcher, -call.count))),
    )


class _Tally:
    """What all processes saw of one target."""

    def __init__(self) -> None:
        self.total, self.beyond, self.failed, self.estimated = 0, 0, 0, False
        self.ways: dict[str, _Way] = {}

    def add(self, counts: Sequence[int], first: int, exact: int) -> None:
        self.total += counts[first + TOTAL]
        self.beyond += counts[first + BEYOND]
        self.failed += counts[first + FAILED]
        self.estimated |= counts[first + TOTAL] > exact

    def see(self, line: dict[str, Any], count: int) -> None:
        if count:
            self.ways.setdefault(_identity(line["arguments"]), _Way(line["arguments"])).add(line, count)

    def watched(self, target: Target) -> Watched:
        return Watched(
            id=target.id,
            level="kernel" if target.kernel else "launcher",
            calls=self.total,
            distinct=len(self.ways),
            beyond=self.beyond,
            failed=self.failed,
            in_graph=sum(way.in_graph for way in self.ways.values()),
            estimated=self.estimated,
        )

    def calls(self, target: Target, source: str) -> Iterator[Call]:
        for way in self.ways.values():
            call = {"launcher": target.id, "arguments": way.arguments, "count": way.count}
            yield wire.load(Call, {**call, "origin": "captured", "source": source})


class _Way:
    """One way of calling, over all processes; of index tensors' values the first process that kept some decides."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments, self.count, self.in_graph = arguments, 0, 0

    def add(self, line: dict[str, Any], count: int) -> None:
        if line["graph"]:
            self.in_graph += count
        elif self.in_graph == self.count:  # so far nothing could be read, as while a graph is captured
            self.arguments = line["arguments"]
        self.count += count


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
    write_text(path, "".join(f"{json.dumps(line)}\n" for line in lines))


def read_capture(path: Path) -> Capture:
    """A record as `kmaint capture` wrote it; UsageError where the file is another thing."""
    try:
        header, *calls = (json.loads(line) for line in path.read_text().splitlines())
        if not isinstance(header, dict) or header.pop("schema", "") != SCHEMA:
            raise ValueError(SCHEMA)
        return wire.load(Capture, {**header, "calls": calls})
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}", "make one with 'kmaint capture'") from error
    except ValueError as error:
        raise UsageError(
            f"{path}: no record of a capture", "make one with 'kmaint capture -o FILE -- COMMAND'"
        ) from error


def calls_for_tree(path: Path, tree: Path) -> dict[str, tuple[Call, ...]]:
    """The calls of a record by the id that the tree has for what was called, which an installed package has elsewhere.

    UsageError where the record is of another framework.
    """
    place, capture = locate(tree), read_capture(path)
    if capture.release.framework != place.framework:
        raise UsageError(
            f"{path}: a record of {capture.release.framework}, but {tree} holds {place.framework}", "capture that one"
        )
    package, before = f"{place.framework}/", place.package_root.relative_to(place.root).as_posix()
    found: dict[str, tuple[Call, ...]] = {}
    for call in capture.calls:
        inside = package + call.launcher.partition(package)[2]
        called = inside if before == "." else f"{before}/{inside}"
        found[called] = (*found.get(called, ()), replace(call, launcher=called))
    return found


def read_record(path: Path) -> list[Call]:
    """The calls of a record, each with the origin "captured"; UsageError where the file is another thing."""
    return list(read_capture(path).calls)
