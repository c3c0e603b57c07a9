"""Which of the framework's own tests and benchmarks reach a kernel: by what they import, and where they use it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from extract.evidence.chunks import Chunk, Chunks
from extract.evidence.files import TreeFiles
from kmaint.layout import Use

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
    files = imports.files
    for _ in range(2):
        offered = Surface()
        calls: list[tuple[str, Use, bytes]] = []
        leads: list[dict[int, int]] = []
        for path, spelled in _Index(imports, surface).uses(files.users).items():
            calls += [(path, files.users[path], literal) for literal in spelled]
            leads += spelled.values()
        for (path, use, _), reached, kernels in zip(calls, files.ask_all(reached_by, calls), leads, strict=True):
            _keep(files, path, use, reached, kernels, found, offered)
        for path, use in files.users.items():
            for name, kernels in surface.seeds.get(path, {}).items():
                _keep(files, path, use, files.ask(reached_from, path, use, name), kernels, found, offered)
        surface = offered
        if not offered.symbols:
            break
    return found


def _keep(
    files: TreeFiles, path: str, use: Use, reached: Reached, kernels: Mapping[int, int], found: Found, offered: Surface
) -> None:
    for kernel, distance in kernels.items():
        for name in reached.names:
            _nearest_id(found[use][kernel], f"{path}::{name}" if name else path, distance)
        for name in () if IS_TEST_FILE.search(path) else reached.support:
            offered.add((files.module_of[path], name), kernel, distance + 1)


def _nearest_id(distances: dict[str, int], item: str, distance: int) -> None:
    distances[item] = min(distance, distances.get(item, distance))


def _imports(chunks: Chunks, chunk: Chunk) -> bool:
    return not chunk.kind and chunks.content.startswith((b"from ", b"import "), chunk.start)


class Reached(NamedTuple):
    """The tests of a file that use a name, also through its own functions; and names that other files may import.

    An empty name stands for the file as a whole.
    """

    names: frozenset[str]
    support: frozenset[str]


def reached_by(chunks: Chunks, use: Use, literal: bytes) -> Reached:
    """What uses something under a spelling."""
    return _reached(chunks, use, (place for place in chunks.mentions(literal) if not _imports(chunks, place[0])))


def reached_from(chunks: Chunks, use: Use, name: str) -> Reached:
    """What uses something that the file itself defines."""
    return _reached(chunks, use, ((chunk, chunk.start) for chunk in chunks.named(name)))


def _reached(chunks: Chunks, use: Use, places: Iterable[tuple[Chunk, int]]) -> Reached:
    names, support, pending, seen = set[str](), set[str](), list(places), set[str]()
    while pending:
        chunk, offset = pending.pop()
        name = _test_name(chunks, chunk, offset) if use == "test" else chunk.name
        if use == "benchmark" and not _imports(chunks, chunk):
            names.add(name or "" if chunk.kind in ("def", "class") else "")
        elif name:
            names.add(name)
        if use == "test" and not name and chunk.name and chunk.name not in seen:
            seen.add(chunk.name)
            pending += ((user, at) for user, at in chunks.mentions(chunk.name.encode()) if user is not chunk)
            support.add(chunk.name)
    return Reached(frozenset(names), frozenset(support))


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


def imports_in(chunks: Chunks, roots: frozenset[str]) -> tuple[tuple[str, str, str], ...]:
    """(module as spelled, name, alias) of each import that is relative or begins with one of `roots`.

    The name is empty for a module imported whole.
    """
    found: list[tuple[str, str, str]] = []
    for origin, text in FROM.findall(chunks.content):
        module = origin.decode()
        if module.partition(".")[0] in roots or origin.startswith(b"."):
            found += ((module, name, alias) for name, alias in _names(text))
    for origin, alias in PLAIN.findall(chunks.content):
        module = origin.decode()
        if module.partition(".")[0] in roots:
            found.append((module, "", alias.decode() or module))
    return tuple(found)


def operators_in(chunks: Chunks) -> tuple[tuple[bytes, bytes], ...]:
    """PyTorch operators that a file names, by namespace and name."""
    return tuple(sorted(set(OPERATOR.findall(chunks.content))))


def spelled_in(chunks: Chunks, spellings: tuple[str, ...]) -> tuple[str, ...]:
    """Those of some spellings that stand anywhere in a file."""
    return tuple(spelled for spelled in spellings if spelled.encode() in chunks.content)


class Imports:
    """What each file imports from its own tree; each is read once."""

    def __init__(self, files: TreeFiles) -> None:
        self.files = files
        self.roots = frozenset(module.partition(".")[0] for module in files.modules)
        self._of: dict[str, list[tuple[str, str, str]]] = {}

    def of(self, path: str) -> list[tuple[str, str, str]]:
        """(module, name, alias) of each import; an empty name for a module imported whole."""
        return self.of_all([path])[0]

    def of_all(self, paths: Sequence[str]) -> list[list[tuple[str, str, str]]]:
        new = [path for path in paths if path not in self._of]
        for path, found in zip(new, self.files.ask_all(imports_in, [(path, self.roots) for path in new]), strict=True):
            self._of[path] = list(self._of_tree(path, found))
        return [self._of[path] for path in paths]

    def offered_to_users(self) -> set[str]:
        """Modules that tests and benchmarks import, directly or through modules that hand names on."""
        pending = list(self.files.users)
        found = {self.files.module_of[path] for path in pending}
        for _ in range(MAX_HOPS):
            modules = {
                module
                for imported in self.of_all(pending)
                for origin, name, _ in imported
                for module in (origin, f"{origin}.{name}")
                if module not in found and module in self.files.modules
            }
            found |= modules
            pending = [path for module in modules if (path := self.files.modules[module]).endswith("/__init__.py")]
        return found

    def _of_tree(self, path: str, spelled: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
        modules, folders = self.files.modules, self.files.module_folders
        for module, name, alias in spelled:
            origin = self._absolute(path, module) if module.startswith(".") else module
            # Of a package without an __init__.py, as tests have it, only what is a module itself.
            if origin in modules or (name and origin in folders and f"{origin}.{name}" in modules):
                yield origin, name, alias

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
        self._resolved: dict[Symbol, Symbol | None] = {}

    def uses(self, paths: Iterable[str]) -> dict[str, dict[bytes, dict[int, int]]]:
        """Kernels by the spelling under which each file uses something that leads to them."""
        paths = list(paths)
        found: dict[str, dict[bytes, dict[int, int]]] = {path: {} for path in paths}
        if self.surface.operators:
            named = self.files.ask_all(operators_in, [(path,) for path in paths])
            for path, operators in zip(paths, named, strict=True):
                for space, operator in operators:
                    if kernels := self.surface.operators.get(operator.decode()):
                        found[path][b"torch.ops.%s.%s" % (space, operator)] = kernels
        members: dict[str, dict[str, Symbol]] = defaultdict(dict)
        for path, imported in zip(paths, self.imports.of_all(paths), strict=True):
            for module, name, alias in imported:
                if name in self.names and (symbol := self.resolve(module, name)):
                    found[path][alias.encode()] = self.surface.symbols[symbol]
                whole = f"{module}.{name}" if name else module
                for last in self.by_module.get(whole, ()):
                    members[path][f"{alias}.{last}"] = (whole, last)
        spelled = self.files.ask_all(spelled_in, [(path, tuple(wanted)) for path, wanted in members.items()])
        for path, spellings in zip(members, spelled, strict=True):
            found[path] |= {one.encode(): self.surface.symbols[members[path][one]] for one in spellings}
        return found

    def resolve(self, module: str, name: str) -> Symbol | None:
        """Where a name that a module offers comes from, if that is part of the surface."""
        if (module, name) not in self._resolved:
            self._resolved[module, name] = self._resolve(module, name)
        return self._resolved[module, name]

    def _resolve(self, module: str, name: str, hops: int = 0) -> Symbol | None:
        if (module, name) in self.surface.symbols:
            return module, name
        path = self.files.modules.get(module)
        if path is None or hops == MAX_HOPS:
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
