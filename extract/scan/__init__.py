"""Find every kernel of a tree, who launches it and who calls those, in one reading of each file."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from extract.scan.cache import keep, recall
from extract.scan.choice import find_kernel, named_launcher
from extract.scan.found import Found
from extract.scan.walk import Listing, list_files
from extract.tree import SourceTree, locate, open_tree
from kmaint.records.kernel import Scan

__all__ = ["find_kernel", "named_launcher", "scan_tree"]


ENVIRONMENT_FOLDERS = ("site-packages", "dist-packages")
"""Where a framework is installed beside everything else that is; only its own package is its tree."""


def scan_tree(tree: Path, *, use_cache: bool = True) -> Scan:
    """Every kernel under the tree in path and line order; a file that cannot be read is a problem, never skipped."""
    started = time.monotonic()
    place = locate(tree)
    with _no_collection():
        installed = place.root.name in ENVIRONMENT_FOLDERS
        listing = list_files(place.root, only=place.framework if installed else "")
        found = _find(place, listing, use_cache=use_cache)
    problems = {*found.problems, *listing.problems}
    return Scan(
        tree=str(place.root),
        release=open_tree(tree),
        kernels=found.kernels,
        problems=tuple(sorted(problems, key=lambda problem: (problem.path, problem.line or 0))),
        files=len(listing.stamps),
        seconds=time.monotonic() - started,
        unknown=found.unknown,
    )


def _find(tree: SourceTree, listing: Listing, *, use_cache: bool) -> Found:
    """What the last scan found where nothing changed, else what all files say now."""
    key = f"found {tree.root} {tree.package_root}"
    kept = recall(key) if use_cache else None
    if isinstance(kept, Found) and kept.stamps == listing.stamps:
        return kept
    from extract.scan.linked import find  # here only: its import takes as long as a scan that has nothing to read

    found = find(tree, listing.stamps, use_cache=use_cache)
    if use_cache:
        keep(key, found)
    return found


@contextmanager
def _no_collection() -> Iterator[None]:
    """Facts are many small values without cycles: looking for cycles among them takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
