"""What a maintainer needs to decide, added to a scan: who tests a kernel, what tunes it, which registry names it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from extract.evidence.exercise import Imports, exercised, imports_in, operators_in
from extract.evidence.files import Answers, Begin, TreeFiles
from extract.evidence.registrations import cpp_operators, read_registry, registering, sglang_registrations
from extract.evidence.surface import host_paths, registrations_of, surface_of, ways_to
from extract.evidence.tables import tables_of
from kmaint.records.kernel import Evidence, Kernel

__all__ = ["Answers", "Gathered", "TreeFiles", "foresee", "gather"]


class Gathered(NamedTuple):
    """The kernels with their evidence, and what evidence the tree does not carry."""

    kernels: tuple[Kernel, ...]
    unknown: tuple[Evidence, ...]


def foresee(files: TreeFiles, begin: Begin) -> None:
    """Begin with what `gather` asks whatever the kernels are: what is left out here is asked then."""
    roots, users = Imports(files).roots, files.users
    asked: dict[Callable[..., Any], list[tuple[Any, ...]]] = {
        imports_in: [(path, roots) for path in users],
        operators_in: [(path,) for path in users],
        cpp_operators: [(path, path) for path in files.listing.cpp],
    }
    if files.tree.framework == "sglang":
        asked[sglang_registrations] = [(path, path) for path in registering(files)]
    files.foresee(begin, asked)


def gather(files: TreeFiles, found: Sequence[Kernel]) -> Gathered:
    """Add each kernel's registrations, tests, benchmarks and tuning tables, as few files of the tree tell of them."""
    imports = Imports(files)
    ways = [tuple(ways_to(kernel)) for kernel in found]
    hosts = host_paths(ways)
    registry = read_registry(files, hosts)
    registered = registrations_of(files, found, ways, registry)
    kernels = [
        replace(kernel, registrations=tuple(named)) if named else kernel
        for kernel, named in zip(found, registered, strict=True)
    ]
    users = exercised(imports, surface_of(imports, kernels, ways, registry))
    tables = dict(tables_of(imports, kernels, hosts))
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
