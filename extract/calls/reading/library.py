"""The files of a tree as modules, each parsed once, and looked up by dotted name or by path."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

from .values import Module

MOST_BYTES = 2 << 20


class Library:
    """`package_root` is where the framework's own package stands; tests are looked for under `root`."""

    def __init__(self, root: Path, package_root: Path) -> None:
        self.root, self.package_root = root, package_root
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """The module of that name; None where the tree has no such file, or none that can be read."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def at(self, relative: str) -> Module | None:
        """The module in a file of the tree."""
        path = self.root / relative
        base = self.package_root if path.is_relative_to(self.package_root) else self.root
        parts = path.relative_to(base).with_suffix("").parts
        return self.module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))

    def _read(self, name: str) -> Module | None:
        parts = name.split(".")
        for base in dict.fromkeys((self.package_root, self.root)):
            if not (base / parts[0]).exists() and not (base / f"{parts[0]}.py").exists():
                continue
            stem = base.joinpath(*parts)
            for path, package in (
                (stem / "__init__.py", name),
                (stem.with_name(f"{stem.name}.py"), ".".join(parts[:-1])),
            ):
                if path.is_file() and path.stat().st_size <= MOST_BYTES:
                    return self._parsed(path, name, package)
        return None

    def _parsed(self, path: Path, name: str, package: str) -> Module | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                body = ast.parse(path.read_bytes()).body
            except (OSError, SyntaxError, ValueError, RecursionError):
                return None
        return Module(name, path.relative_to(self.root).as_posix(), package, body)
