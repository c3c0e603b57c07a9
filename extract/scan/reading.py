"""Read the files of a tree over all cores, in rounds: only what changed, or what an earlier round made of interest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar, TypeVarTuple

from extract.scan.facts import NOTHING, Module, PythonFacts
from extract.scan.pool import Crew
from extract.scan.reach import Reach
from extract.scan.reader import PYTHON, SOURCES, Place, Reader, Reading
from extract.scan.walk import Stamp

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class Readings(NamedTuple):
    """All readings of a tree, by path. `macros` stand for `__global__`: what was read of CUDA depends on them."""

    files: dict[str, Reading]
    macros: frozenset[str] = frozenset()


def read_tree(readers: Crew[Reader], stamps: Mapping[str, Stamp], kept: Readings) -> tuple[Readings, list[Module]]:
    """Readings of every source file, taken from `kept` where the stamp is the same; and the modules within reach."""
    return _Rounds(readers, stamps, kept).all()


class _Rounds:
    """What has been read of each file so far."""

    def __init__(self, readers: Crew[Reader], stamps: Mapping[str, Stamp], kept: Readings) -> None:
        self.place, self.readers, self.kept_macros = readers.state.place, readers, kept.macros
        self.sources = {path: stamp for path, stamp in stamps.items() if path.endswith(SOURCES)}
        self.files = {path: found for path, found in kept.files.items() if found.stamp == self.sources.get(path)}

    def all(self) -> tuple[Readings, list[Module]]:
        files = self.files
        unread = self.sources.keys() - files.keys()
        files.update(self._begin(Reader.first, {path: (self.sources[path],) for path in unread})())
        macros = frozenset[str]().union(*(reading.macros for reading in files.values()))
        cuda = self._begin(Reader.cuda, dict.fromkeys(self._cuda_of(macros), (macros,)))
        names = _module_names(self.place, (path for path, reading in files.items() if reading.imports is not None))
        reach = Reach({name: imports for path, name in names.items() if (imports := files[path].imports) is not None})
        for path, name in names.items():
            reach.offer(reach.kernels, name, set(files[path].offers or ()))
        for path, (found, problem) in cuda():
            files[path] = files[path].having(problem)._replace(cuda=found)
        offered = self._follow(names, reach)
        called = {path: frozenset(reach.launchers[name]) for path, name in names.items() if name in reach.launchers}
        waiting = {path: (bound,) for path, bound in called.items() if files[path].callers_for != bound}
        for path, (callers, problem) in self._read(Reader.callers, waiting):
            files[path] = files[path].having(problem)._replace(callers=callers, callers_for=called[path])
        near = offered.keys() | called.keys()
        return Readings(files, macros), [
            _module(name, path, files[path], offered.get(path)) for path, name in names.items() if path in near
        ]

    def _cuda_of(self, macros: frozenset[str]) -> Iterator[str]:
        """The files that are to be read for CUDA."""
        anew = macros != self.kept_macros
        return (
            path for path, reading in self.files.items() if not path.endswith(PYTHON) and (anew or not reading.cuda)
        )

    def _follow(self, names: Mapping[str, str], reach: Reach) -> dict[str, frozenset[str]]:
        """Read what each file does with what others offer it, until none offers more: what is offered to each."""
        files = self.files
        used: dict[str, dict[frozenset[str], PythonFacts | None]] = defaultdict(dict)
        settled: dict[str, frozenset[str]] = {}
        while True:
            wanted = {
                path: frozenset(reach.kernels[name])
                for path, name in names.items()
                if files[path].offers is not None or name in reach.kernels
            }
            changed = {path for path, offered in wanted.items() if settled.get(path) != offered}
            if not changed:
                break
            waiting = {path: (wanted[path],) for path in changed if wanted[path] not in files[path].facts}
            fresh = {path: offered for path, offered in waiting.items() if not files[path].facts}
            again = {path: offered for path, offered in waiting.items() if path not in fresh}
            for path, (facts, problem) in (*self._begin(Reader.facts, fresh)(), *self._read(Reader.facts, again)):
                known = {**files[path].facts, wanted[path]: facts}
                files[path] = files[path].having(problem)._replace(facts=known)
            for path in changed:
                offered = settled[path] = wanted[path]
                used[path][offered] = files[path].facts[offered]
                reach.add(names[path], used[path][offered] or NOTHING)
        for path, facts_for in used.items():
            files[path] = files[path]._replace(facts=facts_for)
        return settled

    def _read(
        self, reader: Callable[[Reader, str, *Arguments], Result], asked: Mapping[str, tuple[*Arguments]]
    ) -> Iterator[tuple[str, Result]]:
        """Over all cores, each file by the process that has it."""
        calls = self._calls(asked)
        return zip((call[0] for call in calls), self.readers.map(reader, calls), strict=True)

    def _begin(
        self, reader: Callable[[Reader, str, *Arguments], Result], asked: Mapping[str, tuple[*Arguments]]
    ) -> Callable[[], Iterator[tuple[str, Result]]]:
        """By the other processes at once, and over all cores when the results are asked for."""
        calls = self._calls(asked)
        results = self.readers.begin(reader, calls)
        return lambda: zip((call[0] for call in calls), results(), strict=True)

    def _calls(self, asked: Mapping[str, tuple[*Arguments]]) -> list[tuple[str, *Arguments]]:
        """The largest files first."""
        return [(path, *asked[path]) for path in sorted(asked, key=lambda path: (-self.sources[path].size, path))]


def _module(name: str, path: str, reading: Reading, offered: frozenset[str] | None) -> Module:
    assert reading.imports is not None
    facts = reading.facts[offered] if offered is not None else None
    known = facts or NOTHING._replace(imports=reading.imports.names, stars=reading.imports.stars)
    return Module(name, path, known, reading.callers or {})


def _module_names(place: Place, paths: Iterable[str]) -> dict[str, str]:
    """The dotted name of each file; where two share one, as a package and a module may, the later goes by its path."""
    taken: set[str] = set()
    names: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: (not path.endswith("/__init__.py"), path)):
        name = place.module(path)
        names[path] = path if name in taken else name
        taken.add(names[path])
    return names
