"""Remembers beside harnesses what they were made from, so that a second call makes only those that would differ."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from kmaint import wire
from kmaint.errors import UsageError
from kmaint.folder import MANIFEST, sha256
from kmaint.records.harness import Extraction

INDEX, LOCK = ".kmaint-extract.jsonl", ".kmaint-extract.lock"
OWN = Path(__file__).resolve().parents[2]
MAKERS = ("extract", "testgen", "kmaint/records")
"""The folders whose sources decide what a harness looks like."""


class Index:
    """One line for each kernel finished, the last of a kernel's counts; a line that a kill cut short is no line.

    `how` is what a harness depends on beside the files it was cut from.
    """

    def __init__(self, into: Path, tree: Path, how: str, file: IO[str]) -> None:
        self._into, self._tree, self._file = into, tree, file
        self._key = wire.digest([how, made_by()])
        self._known: dict[str, Any] = {}
        self._digests: dict[str, str] = {}
        file.seek(0)
        text = file.read()
        if text and not text.endswith("\n"):
            file.write("\n")
        for line in text.splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                self._known[entry["extraction"]["id"]] = entry

    def find(self, kernel: str) -> Extraction | None:
        """How the kernel ended when all it was cut from was as it is now; None where that is not known."""
        entry = self._known.get(kernel)
        if entry is None or entry["key"] != self._key:
            return None
        if any(self._digest(path) != digest for path, digest in entry["files"].items()):
            return None
        found = wire.load(Extraction, entry["extraction"])
        if found.folder is None:
            return found
        folder = self._into / found.folder
        return replace(found, folder=folder) if (folder / MANIFEST).is_file() else None

    def add(self, ended: Extraction, files: Iterable[str]) -> None:
        """Remember how a kernel ended and from which files of the tree."""
        named = replace(ended, folder=Path(ended.folder.name)) if ended.folder else ended
        digests = {path: self._digest(path) for path in sorted(files)}
        self._file.write(wire.text({"extraction": named, "files": digests, "key": self._key}) + "\n")
        self._file.flush()

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            file = self._tree / path
            self._digests[path] = sha256(file.read_bytes()) if file.is_file() else ""
        return self._digests[path]


@functools.cache
def made_by() -> str:
    """Digest of the sources of kmaint that make a harness: a version number does not change with every edit."""
    found = hashlib.sha256()
    for path in sorted(file for folder in MAKERS for file in (OWN / folder).rglob("*") if file.is_file()):
        if path.suffix in (".py", ".j2", ".toml"):
            found.update(path.relative_to(OWN).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


@contextlib.contextmanager
def open_index(into: Path, tree: Path, how: str) -> Iterator[Index]:
    """The index of a folder, kept up as long as the block lasts."""
    with (into / INDEX).open("a+") as file:
        yield Index(into, tree, how, file)


@contextlib.contextmanager
def locked(into: Path) -> Iterator[None]:
    """Hold the folder against another call. UsageError where one is at work in it."""
    with (into / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"{into}: another kmaint extracts into it", "wait for it, or name another folder"
            ) from error
        yield
