"""The files of a tree that evidence is read from: tests, benchmarks, tuning tables, registrations in C++."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from extract.tree import SourceTree

CPP = (".cpp", ".cu", ".cc", ".cuh", ".hip", ".h")
MAX_BYTES = 8 << 20
"""A source file larger than this is data: the largest of both frameworks is under 1 MB."""


@dataclass(slots=True)
class Listing:
    """Paths relative to the tree, in order."""

    python: list[str] = field(default_factory=list)
    cpp: list[str] = field(default_factory=list)
    tables: dict[str, list[str]] = field(default_factory=dict)
    """Names of JSON files by folder, of folders whose name or whose parents' says `configs`."""


class TreeFiles:
    """Reads each file once; one that cannot be read is empty here, and a problem of the scan."""

    def __init__(self, tree: SourceTree, paths: Iterable[str]) -> None:
        """`paths` are all files of the tree, relative and in order."""
        self.tree, self._paths = tree, paths
        self._read: dict[str, bytes] = {}

    @cached_property
    def listing(self) -> Listing:
        found = Listing()
        for path in self._paths:
            folder, _, name = path.rpartition("/")
            if name.endswith(".py"):
                found.python.append(path)
            elif name.endswith(CPP):
                found.cpp.append(path)
            elif name.endswith(".json") and "configs/" in path:
                found.tables.setdefault(folder, []).append(name)
        return found

    @cached_property
    def modules(self) -> dict[str, str]:
        """Path by dotted module, as it is imported: of the framework's package, else relative to the tree."""
        package = self.tree.package_root.relative_to(self.tree.root).as_posix()
        prefix = "" if package == "." else f"{package}/"
        names = ((path.removeprefix(prefix).removesuffix(".py"), path) for path in self.listing.python)
        return {name.removesuffix("/__init__").replace("/", "."): path for name, path in names}

    @cached_property
    def module_of(self) -> dict[str, str]:
        return {path: module for module, path in self.modules.items()}

    @cached_property
    def module_folders(self) -> set[str]:
        """Dotted folders that hold modules."""
        return {module.rpartition(".")[0] for module in self.modules}

    def read(self, path: str) -> bytes:
        if path not in self._read:
            self._read[path] = _content(f"{self.tree.root}/{path}")
        return self._read[path]


def _content(path: str) -> bytes:
    """A source file's bytes; none of a pipe, of data that only bears a source's name, of what is gone."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            return file.read() if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES else b""
    except OSError:
        return b""
