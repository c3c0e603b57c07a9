"""What a maintainer needs to decide, added to a scan: who tests a kernel, what tunes it, which registry names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from extract.evidence.exercise import Imports, exercised
from extract.evidence.files import Answers, TreeFiles
from extract.evidence.registrations import read_registry
from extract.evidence.surface import host_paths, registrations_of, surface_of
from extract.evidence.tables import tables_of
from kmaint.records.kernel import Evidence, Kernel

__all__ = ["Answers", "Gathered", "TreeFiles", "gather"]


class Gathered(NamedTuple):
    """The kernels with their evidence, and what evidence the tree does not carry."""

    kernels: tuple[Kernel, ...]
    unknown: tuple[Evidence, ...]


def gather(files: TreeFiles, found: Sequence[Kernel]) -> Gathered:
    """Add each kernel's registrations, tests, benchmarks and tuning tables, as few files of the tree tell of them."""
    imports = Imports(files)
    registry = read_registry(files, host_paths(found))
    registered = registrations_of(files, found, registry)
    kernels = [
        replace(kernel, registrations=tuple(named)) if named else kernel
        for kernel, named in zip(found, registered, strict=True)
    ]
    users = exercised(imports, surface_of(imports, kernels, registry))
    tables = dict(tables_of(imports, kernels))
    for number in users["test"].keys() | users["benchmark"].keys() | tables.keys():
        kernels[number] = replace(
            kernels[number],
            tests=_nearest_first(users["test"].get(number, {})),
            benchmarks=_nearest_first(users["benchmark"].get(number, {})),
            tables=tables.get(number),
        )
    return Gathered(tuple(kernels), _unknown(files))


def _nearest_first(distances: dict[str, int]) -> tuple[str, ...]:
    return tuple(sorted(distances, key=lambda item: (distances[item], item)))


def _unknown(files: TreeFiles) -> tuple[Evidence, ...]:
    """Released wheels hold the package alone: the repository's tests and benchmarks stand beside it."""
    top = {path.split("/", 1)[0] for path in files.listing.python}
    lacking: list[Evidence] = []
    if not top & {"test", "tests"}:
        lacking.append("tests")
    if not top & {"benchmark", "benchmarks"}:
        lacking.append("benchmarks")
    return tuple(lacking)
