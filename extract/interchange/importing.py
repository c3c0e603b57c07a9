"""Reads harnesses back from a FlashInfer Trace folder."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from kmaint.errors import UsageError
from kmaint.folder import MANIFEST, read_harness, write_text
from kmaint.records.harness import Harness


def import_trace(source: Path, into: Path) -> list[Harness]:
    """The harnesses that a FlashInfer Trace folder, or one Solution file of it, holds, written under `into`.

    UsageError where it holds none, or where a harness of that name is there already.
    """
    paths = [source] if source.is_file() else sorted((source / "solutions").rglob("*.json"))
    found: dict[str, dict[str, str]] = {}
    for path in paths:
        files = _sources(path)
        for name in (place.parts[0] for place in files if place.name == MANIFEST and len(place.parts) == 2):
            own = {place.relative_to(name).as_posix(): text for place, text in files.items() if place.parts[0] == name}
            if found.setdefault(name, own) != own:
                raise UsageError(f"{path}: its files of {name} differ from another solution's", "import one file alone")
    if not found:
        raise UsageError(f"{source}: no solution in it holds a harness", "name a folder that 'kmaint export' wrote")
    return [_unpack(into / name, files) for name, files in found.items()]


def _sources(path: Path) -> dict[PurePosixPath, str]:
    try:
        data = json.loads(path.read_text())
        files = {PurePosixPath(one["path"]): str(one["content"]) for one in data["sources"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a Solution: {error}", "name a folder that 'kmaint export' wrote") from error
    if unsafe := next((place for place in files if place.is_absolute() or ".." in place.parts), None):
        raise UsageError(f"{path}: source {unsafe} points outside its folder", "do not import files from there")
    return files


def _unpack(folder: Path, files: Mapping[str, str]) -> Harness:
    if folder.exists():
        raise UsageError(f"{folder}: there already", "give another folder with -o")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        for name, content in files.items():
            write_text(made / name, content)
        read_harness(made)
        shutil.move(made, folder)
    return read_harness(folder)
