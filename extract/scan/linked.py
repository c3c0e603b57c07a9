"""Read what changed in a tree since its last scan, and link all of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from extract.evidence import Answers, TreeFiles, foresee, gather
from extract.scan.cache import keep, recall
from extract.scan.cuda_linking import link_cuda
from extract.scan.found import Found
from extract.scan.linking import link
from extract.scan.pool import crew
from extract.scan.reader import Place, Reader
from extract.scan.reading import Readings, read_tree
from extract.scan.walk import Stamp
from extract.tree import SourceTree


class _Known(NamedTuple):
    """What the files of a tree said, to be known again by those that do not change."""

    readings: Readings
    answers: Answers


def find(tree: SourceTree, stamps: Mapping[str, Stamp], *, use_cache: bool) -> Found:
    """The kernels of a tree with their evidence; with a cache, only files whose stamp is new are read."""
    place = _place(tree, stamps)
    key = f"readings {place.base} {place.prefix} {sorted(place.roots)}"
    recalled = recall(key) if use_cache else None
    known = recalled if isinstance(recalled, _Known) else _Known(Readings({}), {})
    with crew(Reader(place)) as readers:
        readings, modules = read_tree(readers, stamps, known.readings)
        files = TreeFiles(tree, stamps, partial(readers.map, Reader.answer), known.answers)
        foresee(files, partial(readers.begin, Reader.answer))
        kernels = [*link(modules), *link_cuda({path: one.cuda for path, one in readings.files.items() if one.cuda})]
        kernels.sort(key=lambda kernel: (kernel.path, kernel.line, kernel.qualname))
        gathered = gather(files, kernels)
    if use_cache:
        keep(key, _Known(readings, files.answers))
    problems = tuple(problem for reading in readings.files.values() for problem in reading.problems)
    return Found(dict(stamps), gathered.kernels, problems, gathered.unknown)


def _place(tree: SourceTree, paths: Mapping[str, Stamp]) -> Place:
    """With the names that the tree's own imports can begin with: what stands at its top, and beside its package."""
    above = tree.package_root.relative_to(tree.root).as_posix()
    prefix = "" if above == "." else f"{above}/"
    tops = {path.partition("/")[0] for path in paths}
    tops |= {path.removeprefix(prefix).partition("/")[0] for path in paths if path.startswith(prefix)}
    return Place(str(tree.root), prefix, frozenset(top.removesuffix(".py") for top in tops))
