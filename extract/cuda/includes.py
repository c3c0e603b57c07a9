"""The include closure of a CUDA file: every file of the tree that the compiler may read with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import normpath

from extract.cuda.text import included


@dataclass(frozen=True)
class Includes:
    """Paths in the tree, the start not among them, and what comes from outside: toolkit, torch, tvm-ffi, C++ itself."""

    files: tuple[str, ...]
    outside: tuple[str, ...]


def include_closure(root: Path, start: str, folders: tuple[str, ...]) -> Includes:
    """What `start` (a path relative to the root) includes, through all it includes; `folders` are searched in order."""
    files: dict[str, None] = {}
    outside: dict[str, None] = {}
    waiting = [start]
    while waiting:
        path = waiting.pop()
        for name, quoted in included((root / path).read_text(errors="replace")):
            places = (str(PurePosixPath(path).parent), *folders) if quoted else folders
            found = next((one for place in places if (root / (one := normpath(f"{place}/{name}"))).is_file()), None)
            if found is None:
                outside[name] = None
            elif found not in files and found != start:
                files[found] = None
                waiting.append(found)
    return Includes(tuple(sorted(files)), tuple(sorted(outside)))
