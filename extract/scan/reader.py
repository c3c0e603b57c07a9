"""Read one file of a tree, by its suffix, for what a round of the reading asks of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from extract.evidence.chunks import Chunks
from extract.scan.callers import Hosts, NearHosts, read_callers
from extract.scan.cuda import SUFFIXES, CudaFacts, prefix_macros, read_cuda
from extract.scan.cuda_strings import read_cuda_strings
from extract.scan.dialects import glance, may_define
from extract.scan.facts import Named, PythonFacts
from extract.scan.imports import Imports, read_imports
from extract.scan.masking import Source, read_source
from extract.scan.python import read_python
from extract.scan.python_file import PythonFile
from extract.scan.walk import Stamp, read_file
from extract.scan.wholeness import why_no_syntax, why_no_text
from kmaint.records.kernel import Problem

PYTHON = ".py"
SOURCES = (PYTHON, *sorted(SUFFIXES))
NO_FACTS: dict[frozenset[str], PythonFacts | None] = {}


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

    `offers` are names at its top that may be kernels, from a glance. `facts` stand by the imported names that they were
    read for, which grow from round to round: the next scan has the same rounds. `callers` were read for `callers_for`.
    """

    stamp: Stamp
    problems: tuple[Problem, ...] = ()
    imports: Imports | None = None
    offers: tuple[str, ...] | None = None
    facts: Mapping[frozenset[str], PythonFacts | None] = NO_FACTS
    callers: Named | None = None
    callers_for: frozenset[str] = frozenset()
    cuda: CudaFacts | None = None
    macros: frozenset[str] = frozenset()

    def having(self, problem: Problem | None) -> Reading:
        """The first problem of a file is what is told of it."""
        return self._replace(problems=(problem,)) if problem and not self.problems else self


class Reader:
    """Keeps what it read until the last round; a file that is gone by then is a problem."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._contents: dict[str, bytes | Problem] = {}
        self._sources: dict[str, Source] = {}
        self._files: dict[str, PythonFile] = {}
        self._chunks: dict[str, Chunks] = {}

    def first(self, path: str, stamp: Stamp) -> Reading:
        """What can be said of a file by itself; its stamp from before is kept, so that a change is seen next time."""
        content = self._read(path)
        if isinstance(content, Problem):
            return Reading(stamp, problems=(content,), imports=Imports() if path.endswith(PYTHON) else None)
        if not path.endswith(PYTHON):
            return Reading(stamp, macros=prefix_macros(content))
        problem = why_no_text(content, path)
        return Reading(
            stamp,
            problems=(problem,) if problem else (),
            imports=read_imports(b"\n" + content, self.place.package(path), self.place.roots),
            offers=glance(content) if may_define(content) else None,
            cuda=read_cuda_strings(content, path) if b"__global__" in content else None,
        )

    def cuda(self, path: str, macros: frozenset[str]) -> tuple[CudaFacts | None, Problem | None]:
        """What a file of CUDA says, where `macros` stand for `__global__`."""
        content = self._read(path)
        return (None, content) if isinstance(content, Problem) else (read_cuda(content, path, macros), None)

    def facts(self, path: str, offered: frozenset[str]) -> tuple[PythonFacts | None, Problem | None]:
        """What a file says of kernels, where those of the names that it imports may be some."""
        content = self._read(path)
        if isinstance(content, Problem):
            return None, content
        facts = read_python(self._file(path, content), roots=self.place.roots, offered=offered)
        return facts, None if facts.is_whole else why_no_syntax(content, path)

    def callers(self, path: str, launchers: frozenset[str]) -> tuple[Named | None, Problem | None]:
        """Who calls what other files launch with."""
        content = self._read(path)
        if isinstance(content, Problem):
            return None, content
        return read_callers(content, launchers, lambda: self._hosts(path, content)), None

    def answer(self, path: str, question: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """What a file says to a question of evidence; one that cannot be read is empty to it."""
        if path not in self._chunks:
            content = self._read(path)
            self._chunks[path] = Chunks(b"" if isinstance(content, Problem) else content)
        return question(self._chunks[path], *arguments)

    def _read(self, path: str) -> bytes | Problem:
        if path not in self._contents:
            self._contents[path] = read_file(self.place.base, path)
        return self._contents[path]

    def _source(self, path: str, content: bytes) -> Source:
        if path not in self._sources:
            self._sources[path] = read_source(content)
        return self._sources[path]

    def _hosts(self, path: str, content: bytes) -> Hosts:
        return self._files.get(path) or NearHosts(self._source(path, content))

    def _file(self, path: str, content: bytes) -> PythonFile:
        if path not in self._files:
            self._files[path] = PythonFile(self._source(path, content), self.place.package(path))
        return self._files[path]
