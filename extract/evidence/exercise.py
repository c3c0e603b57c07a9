"""Which of the framework's own tests and benchmarks reach a kernel: by what they import, and where they use it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from extract.evidence.chunks import Chunk, Chunks
from extract.evidence.files import TreeFiles
from kmaint.layout import Use, use_of

Symbol = tuple[str, str]
"""A dotted module and the name of something at its top level."""

# They begin with fixed text and look at nothing before it: `re` finds that ten times faster than a line's beginning.
FROM = re.compile(rb"from ([\w.]+) import (\([^)]*\)|[^\n]*)")
PLAIN = re.compile(rb"\nimport ([\w.]+)(?: as (\w+))?")
OPERATOR = re.compile(rb"torch\.ops\.(\w+)\.(\w+)")
COMMENT = re.compile(rb"#[^\n]*")

MAX_HOPS = 4
"""How often a name may be handed on by imports before it counts as lost."""

IS_TEST_FILE = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test)\.py$")


@dataclass(slots=True)
class Surface:
    """What of the framework leads to kernels: numbers of kernels with their distance in calls, by symbol and by op."""

    symbols: dict[Symbol, dict[int, int]] = field(default_factory=dict)
    operators: dict[str, dict[int, int]] = field(default_factory=dict)
    """By the name of a PyTorch operator, without its namespace."""
    seeds: dict[str, dict[str, dict[int, int]]] = field(default_factory=dict)
    """By path of a test or benchmark, then by top-level name in it."""

    def add(self, symbol: Symbol, kernel: int, distance: int) -> None:
        _nearest(self.symbols.setdefault(symbol, {}), kernel, distance)

    def add_operator(self, name: str, kernel: int, distance: int) -> None:
        _nearest(self.operators.setdefault(name, {}), kernel, distance)

    def add_seed(self, path: str, name: str, kernel: int) -> None:
        _nearest(self.seeds.setdefault(path, {}).setdefault(name, {}), kernel, 0)


def _nearest(distances: dict[int, int], kernel: int, distance: int) -> None:
    distances[kernel] = min(distance, distances.get(kernel, distance))


Found = dict[Use, dict[int, dict[str, int]]]


def exercised(imports: Imports, surface: Surface) -> Found:
    """Evidence ids (`path::test`) with their distance, by use and kernel.

    Two rounds: what a test's own support files offer is looked for in the tests that import it.
    """
    found: Found = {"test": defaultdict(dict), "benchmark": defaultdict(dict)}
    users = [(path, use) for path in imports.files.listing.python if (use := use_of(path))]
    for _ in range(2):
        index = _Index(imports, surface)
        offered = Surface()
        for path, use in users:
            for literal, kernels in index.uses(path).items():
                _record(index, path, use, literal, kernels, found, offered)
            for name, kernels in surface.seeds.get(path, {}).items():
                _record_seed(index, path, use, name, kernels, found, offered)
        surface = offered
        if not offered.symbols:
            break
    return found


def _record(
    index: _Index, path: str, use: Use, literal: bytes, kernels: Mapping[int, int], found: Found, offered: Surface
) -> None:
    chunks = index.chunks(path)
    places = [place for place in chunks.mentions(literal) if not _imports(chunks, place[0])]
    _keep(index, path, use, Reached.of(path, use, chunks, places), kernels, found, offered)


def _record_seed(
    index: _Index, path: str, use: Use, name: str, kernels: Mapping[int, int], found: Found, offered: Surface
) -> None:
    chunks = index.chunks(path)
    places = [(chunk, chunk.start) for chunk in chunks.named(name)]
    _keep(index, path, use, Reached.of(path, use, chunks, places), kernels, found, offered)


def _keep(
    index: _Index, path: str, use: Use, reached: Reached, kernels: Mapping[int, int], found: Found, offered: Surface
) -> None:
    for kernel, distance in kernels.items():
        for item in reached.ids:
            _nearest_id(found[use][kernel], item, distance)
        for name in reached.support:
            offered.add((index.files.module_of[path], name), kernel, distance + 1)


def _nearest_id(distances: dict[str, int], item: str, distance: int) -> None:
    distances[item] = min(distance, distances.get(item, distance))


def _imports(chunks: Chunks, chunk: Chunk) -> bool:
    return not chunk.kind and chunks.content.startswith((b"from ", b"import "), chunk.start)


@dataclass(slots=True)
class Reached:
    """The tests of a file that use a name, also through its own functions; and names that other files may import."""

    ids: set[str] = field(default_factory=set)
    support: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, path: str, use: Use, chunks: Chunks, places: Iterable[tuple[Chunk, int]]) -> Reached:
        reached, pending, seen = cls(), list(places), set[str]()
        is_test = IS_TEST_FILE.search(path) is not None
        while pending:
            chunk, offset = pending.pop()
            name = _test_name(chunks, chunk, offset) if use == "test" else chunk.name
            if use == "benchmark" and not _imports(chunks, chunk):
                reached.ids.add(f"{path}::{name}" if chunk.kind in ("def", "class") else path)
            elif name:
                reached.ids.add(f"{path}::{name}")
            if use == "test" and not name and chunk.name and chunk.name not in seen:
                seen.add(chunk.name)
                pending += ((user, at) for user, at in chunks.mentions(chunk.name.encode()) if user is not chunk)
                if not is_test:
                    reached.support.add(chunk.name)
        return reached


def _test_name(chunks: Chunks, chunk: Chunk, offset: int) -> str | None:
    """`test_x` or `TestX.test_y`; the class alone where it is set up for all its tests; None outside of a test."""
    if chunk.kind == "def":
        return chunk.name if chunk.name.startswith("test") else None
    if chunk.kind == "name":
        return None
    method = chunks.method_at(chunk, offset)
    is_test = method is not None and method.startswith("test")
    if chunk.kind == "class":
        if is_test:
            return f"{chunk.name}.{method}"
        return chunk.name if chunk.name.startswith("Test") or chunk.name.endswith("Test") else None
    return method if is_test else None


class Imports:
    """What each file imports from its own tree, and its statements; each is read once."""

    def __init__(self, files: TreeFiles) -> None:
        self.files = files
        self.of = lru_cache(maxsize=None)(lambda path: list(self._read(path)))
        self.operators = lru_cache(maxsize=None)(lambda path: set(OPERATOR.findall(files.read(path))))
        self.chunks = lru_cache(maxsize=None)(lambda path: Chunks(files.read(path)))

    def offered_to_users(self) -> set[str]:
        """Modules that tests and benchmarks import, directly or through modules that hand names on."""
        pending = [path for path in self.files.listing.python if use_of(path)]
        found = {self.files.module_of[path] for path in pending}
        for _ in range(MAX_HOPS):
            modules = {
                module
                for path in pending
                for origin, name, _ in self.of(path)
                for module in (origin, f"{origin}.{name}")
                if module not in found and module in self.files.modules
            }
            found |= modules
            pending = [path for module in modules if (path := self.files.modules[module]).endswith("/__init__.py")]
        return found

    def _read(self, path: str) -> Iterator[tuple[str, str, str]]:
        """(module, name, alias) of each import; an empty name for a module imported whole."""
        content, modules, folders = self.files.read(path), self.files.modules, self.files.module_folders
        for module, text in FROM.findall(content):
            origin = self._absolute(path, module.decode()) if module.startswith(b".") else module.decode()
            if origin in modules:
                for name, alias in _names(text):
                    yield origin, name, alias
            elif origin in folders:  # a package without an __init__.py, as tests have it
                for name, alias in _names(text):
                    if f"{origin}.{name}" in modules:
                        yield origin, name, alias
        for module, alias in PLAIN.findall(content):
            if module.decode() in modules:
                yield module.decode(), "", (alias or module).decode()

    def _absolute(self, path: str, module: str) -> str:
        own = self.files.module_of[path].split(".")
        level = len(module) - len(module.lstrip(".")) - path.endswith("/__init__.py")
        return ".".join([*own[: len(own) - level], *filter(None, [module.lstrip(".")])])


class _Index:
    """What a file's imports give it of the surface."""

    def __init__(self, imports: Imports, surface: Surface) -> None:
        self.imports, self.files, self.surface = imports, imports.files, surface
        self.names = {name for _, name in surface.symbols}
        self.by_module: dict[str, list[str]] = defaultdict(list)
        for module, name in surface.symbols:
            self.by_module[module].append(name)
        self.resolve = lru_cache(maxsize=None)(self._resolve)
        self.chunks = imports.chunks

    def uses(self, path: str) -> dict[bytes, dict[int, int]]:
        """Kernels by the spelling under which a file uses something that leads to them."""
        found: dict[bytes, dict[int, int]] = {}
        if self.surface.operators:
            for space, name in self.imports.operators(path):
                if kernels := self.surface.operators.get(name.decode()):
                    found[b"torch.ops.%s.%s" % (space, name)] = kernels
        for module, name, alias in self.imports.of(path):
            if name in self.names and (symbol := self.resolve(module, name)):
                found[alias.encode()] = self.surface.symbols[symbol]
            whole = f"{module}.{name}" if name else module
            for last in self.by_module.get(whole, ()):
                spelled = f"{alias}.{last}".encode()
                if spelled in self.files.read(path):
                    found[spelled] = self.surface.symbols[whole, last]
        return found

    def _resolve(self, module: str, name: str, hops: int = 0) -> Symbol | None:
        """Where a name that a module offers comes from, if that is part of the surface."""
        if (module, name) in self.surface.symbols:
            return module, name
        path = self.files.modules.get(module)
        if path is None or hops == MAX_HOPS or name.encode() not in self.files.read(path):
            return None
        for origin, original, alias in self.imports.of(path):
            if alias == name and original and (found := self._resolve(origin, original, hops + 1)):
                return found
        return None


def _names(text: bytes) -> Iterator[tuple[str, str]]:
    if b"#" in text:
        text = COMMENT.sub(b"", text)
    for part in text.decode(errors="replace").strip("() \t\r\n\\").split(","):
        words = part.split()
        if words:
            yield words[0], words[-1]
