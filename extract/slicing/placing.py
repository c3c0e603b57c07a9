"""Puts a harness folder in place whole: an old one stays until the new one is finished."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A scratch folder beside the target. Renamed to `.done` it takes the target's place; else nothing changes."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    outer = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        scratch = outer / "harness"
        scratch.mkdir()
        yield scratch
        done = scratch.with_suffix(".done")
        if done.is_dir():
            if folder.exists():
                folder.rename(outer / "old")
            done.rename(folder)
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def clear_leftovers(into: Path) -> None:
    """Remove the scratch folders that a killed process left beside its targets."""
    for path in into.glob(".*-????????"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def copy_runtime(target: Path, *packages: str) -> None:
    """The Python files of these packages, side by side in a new folder."""
    target.mkdir()
    for package in packages:
        for part in resources.files(package).iterdir():
            if part.name.endswith(".py"):
                (target / part.name).write_bytes(part.read_bytes())
