"""Tuned configurations: which folders of JSON files a launcher or its caller reads, and for which devices."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from extract.evidence.chunks import Chunks, words
from extract.evidence.exercise import Imports
from extract.evidence.files import TreeFiles
from kmaint.layout import use_of
from kmaint.records.kernel import HostFunction, Kernel, TuningTables

COMMON_DEVICES = (
    "NVIDIA_H100_80GB_HBM3",
    "NVIDIA_H200",
    "NVIDIA_B200",
    "NVIDIA_GB200",
    "NVIDIA_A100-SXM4-80GB",
    "NVIDIA_L40S",
    "AMD_Instinct_MI300X",
    "AMD_Instinct_MI325X",
    "AMD_Instinct_MI355X",
)
"""As `torch.cuda.get_device_name` spells them, with underscores: both frameworks look a table up by that name."""

DEVICE = re.compile(r"\bdevice(?:_name)?=([^,]+?)(?:_down)?(?:,.*)?\.json$")
PLAIN_DEVICE = re.compile(r"^((?:nvidia|amd)_[a-z0-9_]+)\.json$")
LITERAL = re.compile(rb"""["'](\w*configs)["'](?:\s*[,/]\s*["'](\w+)["'])?""")
LOOKS_UP = re.compile(r"config|plan|table|tun", re.IGNORECASE)
"""Names through which a table's reader hands on what it read."""

TAKES_CONFIG = re.compile(rb"\bconfigs?\b|_config\b")


@dataclass(frozen=True, slots=True)
class _Reader:
    """A folder of tables, and the names in one module through which it is read."""

    tables: TuningTables
    module: str
    path: str
    names: frozenset[str]


def tables_of(imports: Imports, kernels: Sequence[Kernel], hosts: Set[str]) -> Iterator[tuple[int, TuningTables]]:
    """The tables of each kernel, by its number; a kernel whose launch reads none is left out.

    `hosts` are the files that launch one or call who does.
    """
    readers = list(_readers(imports.files))
    by_path: dict[str, dict[str, TuningTables]] = defaultdict(dict)
    for reader in readers:
        by_path[reader.path].update(dict.fromkeys(reader.names, reader.tables))
    by_name = {(reader.module, name): reader.tables for reader in readers for name in reader.names}
    if not readers:
        return
    imports.of_all(sorted(hosts & imports.files.module_of.keys()))
    reading = _Reading(imports, by_path, by_name)
    for number, kernel in enumerate(kernels):
        for host in kernel.launchers:
            if tables := reading.by(host):
                yield number, tables
                break


class _Reading:
    """Whether a host function reads tables itself, or takes a configuration from a caller that does."""

    def __init__(
        self,
        imports: Imports,
        by_path: dict[str, dict[str, TuningTables]],
        by_name: dict[tuple[str, str], TuningTables],
    ) -> None:
        self.imports, self.by_path, self.by_name = imports, by_path, by_name
        self._memory: dict[tuple[str, str], TuningTables | None] = {}
        self._offers: dict[str, dict[str, TuningTables]] = {}

    def by(self, host: HostFunction) -> TuningTables | None:
        if host.path not in self.imports.files.module_of:
            return None
        if found := self._named(host.path, host.qualname):
            return found
        callers = (caller.split("::", 1) for caller in host.callers)
        handed = next((found for path, name in callers if (found := self._named(path, name))), None)
        name = host.qualname.partition(".")[0]
        return handed if handed and self.imports.files.ask(takes_config, host.path, name) else None

    def _named(self, path: str, qualname: str) -> TuningTables | None:
        key = (path, qualname.partition(".")[0])
        if key not in self._memory:
            self._memory[key] = None if use_of(path) else self._look(*key)
        return self._memory[key]

    def _look(self, path: str, name: str) -> TuningTables | None:
        offered = self._offered(path)
        used = self.imports.files.ask(first_used, path, name, tuple(offered)) if offered else None
        return offered[used] if used else None

    def _offered(self, path: str) -> dict[str, TuningTables]:
        """What a file may read tables through, by the name it has there."""
        if path not in self._offers:
            offers = self._offers[path] = dict(self.by_path.get(path, {}))
            for module, original, alias in self.imports.of(path):
                if tables := self.by_name.get((module, original)):
                    offers[alias] = tables
        return self._offers[path]


def _texts(chunks: Chunks, name: str) -> list[bytes]:
    return [chunks.text(chunk) for chunk in chunks.named(name)]


def first_used(chunks: Chunks, name: str, offered: tuple[str, ...]) -> str | None:
    """The first of some names that a function of a file uses."""
    found = (one for text in _texts(chunks, name) for one in offered if next(words(text, one.encode()), -1) >= 0)
    return next(found, None)


def takes_config(chunks: Chunks, name: str) -> bool:
    """Whether a function of a file speaks of a configuration."""
    return any(TAKES_CONFIG.search(text) for text in _texts(chunks, name))


def _readers(files: TreeFiles) -> Iterator[_Reader]:
    roots: dict[str, list[str]] = defaultdict(list)
    for folder in files.listing.tables:
        root, _, _ = _split(folder)
        roots[root].append(folder)
    beside: dict[str, list[str]] = defaultdict(list)
    for path in files.listing.python:
        folder = path.rpartition("/")[0]
        beside[folder].append(path)
        beside[folder.rpartition("/")[0]].append(path)
    places = [(path, root) for root in roots for path in beside[root.rpartition("/")[0]] if not use_of(path)]
    told = files.ask_all(folders_read, [(path, root.rpartition("/")[2]) for path, root in places])
    for (path, root), readings in zip(places, told, strict=True):
        for inner, names in readings:
            below, folders = f"{root}/{inner}" if inner else root, roots[root]
            chosen = [folder for folder in folders if f"{folder}/".startswith(f"{below}/")]
            if tables := _tables(files, below if chosen else root, chosen or folders):
                yield _Reader(tables, files.module_of[path], path, names)


def _split(folder: str) -> tuple[str, str, str]:
    """A folder up to and including the part that ends in `configs`, and what follows."""
    parts = folder.split("/")
    last = next(index for index, part in enumerate(parts) if part.endswith("configs"))
    return "/".join(parts[: last + 1]), parts[last], "/".join(parts[last + 1 :])


def folders_read(chunks: Chunks, last: str) -> list[tuple[str, frozenset[str]]]:
    """Where a file spells the name of a folder of tables: the folder in it, if told, and through what it is read."""
    found: list[tuple[str, frozenset[str]]] = []
    for match in LITERAL.finditer(chunks.content) if last.encode() in chunks.content else ():
        chunk = chunks.at(match.start())
        if match[1].decode() == last and chunk.name:
            names, pending = {chunk.name}, [chunk.name]
            while pending:
                for user, _ in chunks.mentions(pending.pop().encode()):
                    if user.name and user.name not in names and LOOKS_UP.search(user.name):
                        names.add(user.name)
                        pending.append(user.name)
            found.append((match[2].decode() if match[2] else "", frozenset(names)))
    return found


def _tables(files: TreeFiles, folder: str, folders: list[str]) -> TuningTables | None:
    names = [name for one in folders for name in files.listing.tables[one]]
    devices = {device for name in names if (device := device_of(name))}
    if not devices:
        return None
    spelled = {device.lower() for device in devices}
    missing = tuple(d for d in COMMON_DEVICES if not _has(spelled, d.lower()))
    return TuningTables(folder=folder, files=len(names), devices=tuple(sorted(devices)), missing=missing)


def _has(spelled: set[str], device: str) -> bool:
    """Tables that are named by model alone (`nvidia_h100`) serve every H100."""
    return device in spelled or any(device.startswith(f"{one}_") for one in spelled)


def device_of(name: str) -> str | None:
    """The device that a tuning table's file name states."""
    found = DEVICE.search(name) or PLAIN_DEVICE.match(name)
    return found[1] if found else None
