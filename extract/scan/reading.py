"""Read the files of a tree, each by its suffix, over all cores; only those that changed since they were last read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

from extract.scan.callers import read_callers
from extract.scan.cuda import SUFFIXES, CudaFacts, prefix_macros, read_cuda
from extract.scan.cuda_strings import read_cuda_strings
from extract.scan.dialects import glance, may_define
from extract.scan.facts import NOTHING, Module, Named, PythonFacts
from extract.scan.imports import Imports, read_imports
from extract.scan.pool import map_forked
from extract.scan.python import read_python
from extract.scan.reach import Reach
from extract.scan.walk import Stamp, read_file
from extract.scan.wholeness import why_no_syntax, why_no_text
from kmaint.records.kernel import Problem

PYTHON = ".py"
SOURCES = (PYTHON, *sorted(SUFFIXES))
NO_STAMP = Stamp(-1, -1, -1)
"""A reader does not know it: the one from before reading is kept, so that a change meanwhile is seen next time."""


class Place(NamedTuple):
    """Where a tree stands, what precedes its package in a path, and the names that its own imports begin with."""

    base: str
    prefix: str
    roots: frozenset[str]

    def module(self, path: str) -> str:
        name = path.removeprefix(self.prefix).removesuffix(PYTHON).replace("/", ".")
        return name.removesuffix(".__init__")

    def package(self, path: str) -> str:
        module = self.module(path)
        return module if path.endswith("/__init__.py") else module.rpartition(".")[0]


class Reading(NamedTuple):
    """What one file said. Of Python, `facts` and `callers` are absent while nothing in it could concern a kernel.

    `offers` are names at its top that may be kernels, from a glance; `facts` were read for the imported names
    `facts_for`, and `callers` for `callers_for`.
    """

    stamp: Stamp
    problems: tuple[Problem, ...] = ()
    imports: Imports | None = None
    offers: tuple[str, ...] | None = None
    facts: PythonFacts | None = None
    facts_for: frozenset[str] = frozenset()
    callers: Named | None = None
    callers_for: frozenset[str] = frozenset()
    cuda: CudaFacts | None = None
    macros: frozenset[str] = frozenset()


class Readings(NamedTuple):
    """All readings of a tree, by path. `macros` stand for `__global__`: what was read of CUDA depends on them."""

    files: dict[str, Reading]
    macros: frozenset[str] = frozenset()


def read_tree(place: Place, stamps: Mapping[str, Stamp], kept: Readings) -> tuple[Readings, list[Module]]:
    """Readings of every source file, taken from `kept` where the stamp is the same; and the modules within reach."""
    sources = {path: stamp for path, stamp in stamps.items() if path.endswith(SOURCES)}
    files = {path: found for path, found in kept.files.items() if found.stamp == sources.get(path)}
    _read(files, sources, sources.keys() - files.keys(), partial(_first, place))
    macros = frozenset[str]().union(*(reading.macros for reading in files.values()))
    waiting = {path for path in files if not path.endswith(PYTHON) and (not files[path].cuda or macros != kept.macros)}
    names = _module_names(place, (path for path, reading in files.items() if reading.imports is not None))
    reach = Reach({name: imports for path, name in names.items() if (imports := files[path].imports) is not None})
    for path, name in names.items():
        reach.offer(reach.kernels, name, set(files[path].offers or ()))
    settled: dict[str, frozenset[str]] = {}
    while True:
        wanted = {
            path: frozenset(reach.kernels[name])
            for path, name in names.items()
            if files[path].offers is not None or name in reach.kernels
        }
        changed = {path for path, offered in wanted.items() if settled.get(path) != offered}
        waiting |= {path for path in changed if files[path].facts is None or files[path].facts_for != wanted[path]}
        if not (waiting or changed):
            break
        _read(files, sources, waiting, partial(_second, place, macros, files, wanted))
        for path in changed:
            reach.add(names[path], files[path].facts or NOTHING)
            settled[path] = wanted[path]
        waiting = set()
    called = {path: frozenset(reach.launchers[name]) for path, name in names.items() if name in reach.launchers}
    waiting = {path for path, offered in called.items() if files[path].callers_for != offered}
    _read(files, sources, waiting, partial(_third, place, files, called))
    return Readings(files, macros), [
        _module(name, path, files[path]) for path, name in names.items() if path in wanted or path in called
    ]


def _module(name: str, path: str, reading: Reading) -> Module:
    assert reading.imports is not None
    facts = reading.facts or NOTHING._replace(imports=reading.imports.names, stars=reading.imports.stars)
    return Module(name, path, facts, reading.callers or {})


def _read(
    files: dict[str, Reading], sources: Mapping[str, Stamp], paths: Iterable[str], reader: Callable[[str], Reading]
) -> None:
    """Read over all cores, the largest first; what a reader says of a file takes its place among the readings."""
    wanted = sorted(paths, key=lambda path: (-sources[path].size, path))
    for path, reading in zip(wanted, map_forked(reader, wanted), strict=True):
        files[path] = reading._replace(stamp=sources[path])


def _first(place: Place, path: str) -> Reading:
    """What can be said of a file by itself."""
    content = read_file(place.base, path)
    if isinstance(content, Problem):
        return Reading(NO_STAMP, problems=(content,), imports=Imports() if path.endswith(PYTHON) else None)
    if not path.endswith(PYTHON):
        return Reading(NO_STAMP, macros=prefix_macros(content))
    problem = why_no_text(content, path)
    return Reading(
        NO_STAMP,
        problems=(problem,) if problem else (),
        imports=read_imports(b"\n" + content, place.package(path), place.roots),
        offers=glance(content) if may_define(content) else None,
        cuda=read_cuda_strings(content, path) if b"__global__" in content else None,
    )


def _second(
    place: Place, macros: frozenset[str], files: Mapping[str, Reading], wanted: Mapping[str, frozenset[str]], path: str
) -> Reading:
    """What takes knowledge of other files: which imported names may be kernels, and the macros that CUDA uses."""
    reading, content = files[path], read_file(place.base, path)
    if isinstance(content, Problem):
        return reading._replace(problems=(content,), facts_for=wanted.get(path, frozenset()))
    if not path.endswith(PYTHON):
        return reading._replace(cuda=read_cuda(content, path, macros))
    facts = read_python(content, package=place.package(path), roots=place.roots, offered=wanted[path])
    if not (facts.is_whole or reading.problems) and (problem := why_no_syntax(content, path)):
        reading = reading._replace(problems=(problem,))
    return reading._replace(facts=facts, facts_for=wanted[path])


def _third(place: Place, files: Mapping[str, Reading], called: Mapping[str, frozenset[str]], path: str) -> Reading:
    """Who calls what other files launch with."""
    reading, content = files[path], read_file(place.base, path)
    if isinstance(content, Problem):
        return reading._replace(problems=(content,), callers_for=called[path])
    return reading._replace(callers=read_callers(content, called[path]), callers_for=called[path])


def _module_names(place: Place, paths: Iterable[str]) -> dict[str, str]:
    """The dotted name of each file; where two share one, as a package and a module may, the later goes by its path."""
    taken: set[str] = set()
    names: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: (not path.endswith("/__init__.py"), path)):
        name = place.module(path)
        names[path] = path if name in taken else name
        taken.add(names[path])
    return names
