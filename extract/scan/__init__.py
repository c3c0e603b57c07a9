"""Find every kernel of a tree, who launches it and who calls those, in one reading of each file."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from extract.evidence import gather
from extract.scan.cache import keep, recall
from extract.scan.choice import find_kernel
from extract.scan.cuda_linking import link_cuda
from extract.scan.linking import link
from extract.scan.reading import Place, Readings, read_tree
from extract.scan.walk import Listing, Stamp, list_files
from extract.tree import SourceTree, locate, open_tree
from kmaint.records.kernel import Evidence, Kernel, Problem, Scan

__all__ = ["find_kernel", "scan_tree"]


ENVIRONMENT_FOLDERS = ("site-packages", "dist-packages")
"""Where a framework is installed beside everything else that is; only its own package is its tree."""


class _Found(NamedTuple):
    """What linking made of all readings, and the stamps it holds for."""

    stamps: dict[str, Stamp]
    kernels: tuple[Kernel, ...]
    problems: tuple[Problem, ...]
    unknown: tuple[Evidence, ...]


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


def _find(tree: SourceTree, listing: Listing, *, use_cache: bool) -> _Found:
    """Read what changed since the last scan, and link all of it; nothing of either where nothing changed."""
    place = _place(tree, listing)
    key = f"{place.root} {place.prefix} {sorted(place.roots)}"
    kept = recall(f"found {key}") if use_cache else None
    if isinstance(kept, _Found) and kept.stamps == listing.stamps:
        return kept
    known = recall(f"readings {key}") if use_cache else None
    readings, modules = read_tree(place, listing.stamps, known if isinstance(known, Readings) else Readings({}))
    kernels = [*link(modules), *link_cuda({path: one.cuda for path, one in readings.files.items() if one.cuda})]
    kernels.sort(key=lambda kernel: (kernel.path, kernel.line, kernel.qualname))
    gathered = gather(tree, kernels, listing.stamps)
    problems = tuple(problem for reading in readings.files.values() for problem in reading.problems)
    found = _Found(listing.stamps, gathered.kernels, problems, gathered.unknown)
    if use_cache:
        keep(f"readings {key}", readings)
        keep(f"found {key}", found)
    return found


def _place(tree: SourceTree, listing: Listing) -> Place:
    """With the names that the tree's own imports can begin with: what stands at its top, and beside its package."""
    above = tree.package_root.relative_to(tree.root).as_posix()
    prefix = "" if above == "." else f"{above}/"
    tops = {path.partition("/")[0] for path in listing.stamps}
    tops |= {path.removeprefix(prefix).partition("/")[0] for path in listing.stamps if path.startswith(prefix)}
    return Place(tree.root, prefix, frozenset(top.removesuffix(".py") for top in tops))


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
