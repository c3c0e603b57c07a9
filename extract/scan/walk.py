"""The files of a tree with what tells whether one changed; what cannot be read is reported, never waited for."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from kmaint.records.kernel import Problem

SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})
MAX_BYTES = 8 << 20
"""A source file larger than this is data: the largest of both frameworks is under 1 MB."""
BY_NAME = attrgetter("name")


class Stamp(NamedTuple):
    """What changes with a file's content, short of reading it."""

    size: int
    mtime_ns: int
    inode: int


class Listing(NamedTuple):
    """Stamps of all files of a tree by relative path, in path order, and what could not be listed."""

    stamps: dict[str, Stamp]
    problems: list[Problem]


def list_files(root: Path, *, only: str = "") -> Listing:
    """Regular files, also those that a link from inside the tree reaches outside it; no folder is entered twice.

    With `only`, of what stands at the top no more than that.
    """
    found = Listing({}, [])
    for relative, entry in _entries(os.fspath(root), found.problems, only):
        try:
            status = _status(root, entry)
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
            found.problems.append(_problem(relative, error))
            continue
        if status is not None:
            found.stamps[relative] = Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
    return found


def _entries(root: str, problems: list[Problem], only: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything but folders in path order, with the folders still to list on a stack: a tree may be deep."""
    pending: list[tuple[str, os.DirEntry[str] | None]] = [("", None)]
    while pending:
        relative, entry = pending.pop()
        if entry is None or entry.is_dir(follow_symlinks=False):
            prefix = f"{relative}/" if relative else ""
            inner = _list(entry.path if entry else root, relative, problems)
            if only and entry is None:
                inner = [one for one in inner if one.name == only]
            pending += ((prefix + one.name, one) for one in reversed(inner))
        else:
            yield relative, entry


def _list(folder: str, relative: str, problems: list[Problem]) -> list[os.DirEntry[str]]:
    """Nothing where a virtual environment lies, or a folder that may not be listed, which is a problem."""
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=BY_NAME)
    except OSError as error:
        problems.append(_problem(relative or ".", error))
        return []
    names = list(map(BY_NAME, entries))
    if "pyvenv.cfg" in names:
        return []
    skipped = {name for name in names if name[0] == "." or name in SKIPPED_FOLDERS}
    return [one for one in entries if not (skipped and one.name in skipped and one.is_dir(follow_symlinks=False))]


def _status(root: Path, entry: os.DirEntry[str]) -> os.stat_result | None:
    """None for a link to a folder or to another file of the tree; a pipe or socket is told from a file when read."""
    if entry.is_symlink():
        path = Path(entry.path)
        if not stat.S_ISREG(path.stat().st_mode) or path.resolve(strict=True).is_relative_to(root):
            return None
        return path.stat()
    return entry.stat()


def read_file(root: str, relative: str) -> bytes | Problem:
    """A file's bytes, or why there are none; what was a file when listed may since be gone, larger, or a pipe."""
    try:
        descriptor = os.open(f"{root}/{relative}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return Problem(path=relative, line=None, reason="no regular file, so not read")
            content = _whole(descriptor, status.st_size)
        finally:
            os.close(descriptor)
    except OSError as error:
        return _problem(relative, error)
    if len(content) > MAX_BYTES:
        return Problem(path=relative, line=None, reason=f"larger than {MAX_BYTES >> 20} MB, so not read")
    return content


def _whole(descriptor: int, size: int) -> bytes:
    """A file that has grown meanwhile is read to its end, or past the bound."""
    first = os.read(descriptor, min(size, MAX_BYTES) + 1)
    if len(first) == size:
        return first
    pieces = [first]
    left = MAX_BYTES + 1 - len(first)
    while left and (piece := os.read(descriptor, left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _problem(path: str, error: Exception) -> Problem:
    return Problem(path=path, line=None, reason=getattr(error, "strerror", None) or str(error))
