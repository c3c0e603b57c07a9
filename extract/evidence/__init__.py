"""What a maintainer needs to decide, added to a scan: who tests a kernel, what tunes it, which registry names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from extract.evidence.exercise import Imports, exercised
from extract.evidence.files import TreeFiles
from extract.evidence.registrations import read_registry
from extract.evidence.surface import host_paths, registrations_of, surface_of
from extract.evidence.tables import tables_of
from extract.tree import locate
from kmaint.records.kernel import Evidence, Scan

__all__ = ["gather"]


def gather(tree: Path, scan: Scan, *, paths: Sequence[str] | None = None) -> Scan:
    """The scan with each kernel's registrations, tests, benchmarks and tuning tables, from few files of the tree.

    `paths` are all files of the tree, relative and in order; without them the tree is walked once more.
    """
    files = TreeFiles(locate(tree), paths)
    imports = Imports(files)
    registry = read_registry(imports, host_paths(scan.kernels))
    registered = registrations_of(imports, scan.kernels, registry)
    kernels = tuple(
        replace(kernel, registrations=tuple(found)) for kernel, found in zip(scan.kernels, registered, strict=True)
    )
    found = exercised(imports, surface_of(imports, kernels, registry))
    tables = dict(tables_of(imports, kernels))
    return replace(
        scan,
        unknown=_unknown(files),
        kernels=tuple(
            replace(
                kernel,
                tests=_nearest_first(found["test"].get(number, {})),
                benchmarks=_nearest_first(found["benchmark"].get(number, {})),
                tables=tables.get(number),
            )
            for number, kernel in enumerate(kernels)
        ),
    )


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
