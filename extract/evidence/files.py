"""The files of a tree that evidence is read from: tests, benchmarks, tuning tables, registrations in C++."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Literal

from extract.tree import SourceTree

Use = Literal["test", "benchmark"]

TEST = re.compile(r"(?:^|/)(?:tests?/|test_[^/]*\.py$|[^/]*_test\.py$)")
BENCHMARK = re.compile(r"(?:^|/)(?:benchmarks?/|bench(?:mark)?_[^/]*\.py$)")
CPP = (".cpp", ".cu", ".cc", ".cuh", ".hip", ".h")
SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


@cache
def use_of(path: str) -> Use | None:
    """What a file is for, by its path: a benchmark among tests is a benchmark."""
    if "test" not in path and "bench" not in path:
        return None
    return "benchmark" if BENCHMARK.search(path) else "test" if TEST.search(path) else None


@dataclass(slots=True)
class Listing:
    """Paths relative to the tree, in order."""

    python: list[str] = field(default_factory=list)
    cpp: list[str] = field(default_factory=list)
    tables: dict[str, list[str]] = field(default_factory=dict)
    """Names of JSON files by folder, of folders whose name or whose parents' says `configs`."""


class TreeFiles:
    """Reads each file once; one that cannot be read is empty here, and a problem of the scan."""

    def __init__(self, tree: SourceTree) -> None:
        self.tree = tree
        self._read: dict[str, bytes] = {}

    @cached_property
    def listing(self) -> Listing:
        found = Listing()
        for folder, folders, names in os.walk(self.tree.root):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in SKIPPED)
            if "pyvenv.cfg" in names:
                folders.clear()
                continue
            prefix = os.path.relpath(folder, self.tree.root) + "/"
            _sort(found, "" if prefix == "./" else prefix, sorted(names))
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
            try:
                with open(f"{self.tree.root}/{path}", "rb") as file:  # noqa: PTH123 - a Path for each costs 20 ms
                    self._read[path] = file.read()
            except OSError:
                self._read[path] = b""
        return self._read[path]


def _sort(found: Listing, prefix: str, names: Iterable[str]) -> None:
    in_tables = "configs/" in prefix
    for name in names:
        if name.endswith(".py"):
            found.python.append(prefix + name)
        elif name.endswith(CPP):
            found.cpp.append(prefix + name)
        elif in_tables and name.endswith(".json"):
            found.tables.setdefault(prefix.rstrip("/"), []).append(name)
