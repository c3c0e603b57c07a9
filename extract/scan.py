"""Find every kernel of a tree, who launches it and who calls those, in one reading of each file."""

from __future__ import annotations

import difflib
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from extract.launches import Definition, ModuleFacts, read_facts
from extract.tree import SourceTree, locate, open_tree
from kmaint.errors import UsageError
from kmaint.records.kernel import HostFunction, Kernel, Language, Problem, Role, Scan

SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})
MAX_BYTES = 8 << 20
"""A source file larger than this is data: the largest of both frameworks is under 1 MB."""

IMPORTED = re.compile(rb"^[ \t]*(?:from|import)[ \t]+([.\w]+)", re.MULTILINE)
WRAPPED = frozenset({"fn", "run", "warmup"})
"""Attributes of a kernel that are, or launch, that kernel."""

MAX_HOPS = 12
"""Imports that hand a name on: the longest chain in both frameworks is four."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the tree and its bytes."""

    path: Path
    relative: str
    content: bytes


Reader = Callable[[SourceTree, list[SourceFile]], tuple[list[Kernel], list[Problem]]]


def scan_tree(tree: Path) -> Scan:
    """Every kernel under the tree in path and line order; a file that cannot be read is a problem, never skipped."""
    started = time.monotonic()
    place = locate(tree)
    files: list[SourceFile] = []
    problems: list[Problem] = []
    for found in _files(place):
        if isinstance(found, Problem):
            problems.append(found)
        else:
            files.append(found)
    kernels: list[Kernel] = []
    for reader in dict.fromkeys(READERS.values()):
        read, failed = reader(place, files)
        kernels += read
        problems += failed
    return Scan(
        tree=str(place.root),
        release=open_tree(tree),
        kernels=tuple(sorted(kernels, key=lambda kernel: (kernel.path, kernel.line, kernel.qualname))),
        problems=tuple(sorted(problems, key=lambda problem: problem.path)),
        files=len(files),
        seconds=time.monotonic() - started,
    )


def _files(tree: SourceTree) -> Iterator[SourceFile | Problem]:
    for folder, folders, names in os.walk(tree.root):  # does not follow links: no loops
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in SKIPPED_FOLDERS)
        if "pyvenv.cfg" in names:
            folders.clear()
            continue
        for name in names:
            if name.endswith(".py"):
                found = _read(tree, Path(folder, name))
                if found is not None:
                    yield found


def _read(tree: SourceTree, path: Path) -> SourceFile | Problem | None:
    relative = tree.relative(path)
    try:
        if path.is_symlink() and path.resolve(strict=True).is_relative_to(tree.root):
            return None  # read under its own path
        if path.stat().st_size > MAX_BYTES:
            return Problem(path=relative, line=None, reason=f"larger than {MAX_BYTES >> 20} MB, so not read")
        return SourceFile(path, relative, path.read_bytes())
    except (OSError, RuntimeError) as error:
        return Problem(path=relative, line=None, reason=getattr(error, "strerror", None) or str(error))


def read_triton(tree: SourceTree, files: list[SourceFile]) -> tuple[list[Kernel], list[Problem]]:
    """Triton and Gluon: the files that define kernels, then those that import a module of theirs, then the links."""
    index: dict[str, ModuleFacts] = {}
    problems: list[Problem] = []

    def parse(file: SourceFile) -> ModuleFacts | None:
        try:
            facts = read_facts(file.content, path=file.relative, module=tree.module_of(file.path))
        except SyntaxError as error:
            problems.append(Problem(path=file.relative, line=error.lineno, reason=f"not Python: {error.msg}"))
        except (ValueError, RecursionError) as error:
            problems.append(Problem(path=file.relative, line=None, reason=f"not Python: {error}"))
        else:
            index[facts.module] = facts
            return facts
        return None

    rest: list[SourceFile] = []
    for file in files:
        if b"jit" in file.content and (b"triton" in file.content or b"gluon" in file.content):
            parse(file)
        else:
            rest.append(file)
    _read_importers(
        tree, rest, {name: _launching_names(facts) for name, facts in index.items() if facts.kernels}, parse
    )
    return _Linker(index).kernels(), problems


def _launching_names(facts: ModuleFacts) -> set[bytes]:
    """What other files can call to launch: kernels, and functions that launch or are handed one."""
    names = {kernel.qualname for kernel in facts.kernels} | facts.launches.keys()
    return {name.partition(".")[0].encode() for name in names} - {b"<module>"}


def _read_importers(
    tree: SourceTree,
    files: list[SourceFile],
    launching: dict[str, set[bytes]],
    parse: Callable[[SourceFile], ModuleFacts | None],
) -> None:
    """Parse each file that imports a module, or a package that hands it on, and mentions a name of it that launches."""
    imports = {file.relative: _imported(tree, file) for file in files}
    known = {name: names for name, names in launching.items() if names}
    for name in list(known):  # `from package import module`
        package, _, last = name.rpartition(".")
        known.setdefault(package, set()).add(last.encode())
    handed_on, pending = True, files
    while handed_on:
        handed_on, later = False, []
        for file in pending:
            offered = set[bytes]().union(*(known[name] for name in imports[file.relative] & known.keys()))
            star = b"import *" in file.content
            named = offered if star else {name for name in offered if name in file.content}
            if not named:
                later.append(file)
                continue
            facts = parse(file)
            if star or file.relative.endswith("__init__.py"):
                known.setdefault(tree.module_of(file.path), set()).update(named)
                handed_on = True
            elif facts is not None and (hosts := _launching_names(facts)):
                known.setdefault(facts.module, set()).update(hosts)
                handed_on = True
        pending = later


def _imported(tree: SourceTree, file: SourceFile) -> set[str]:
    """Modules that a file's import lines name; of a relative import also the package, whose submodules it may take."""
    module = tree.module_of(file.path)
    package = module if file.relative.endswith("__init__.py") else module.rpartition(".")[0]
    found: set[str] = set()
    for match in IMPORTED.findall(file.content):
        name = match.decode()
        level = len(name) - len(name.lstrip("."))
        if level:
            base = package.split(".")[: len(package.split(".")) - level + 1]
            name = ".".join([*base, name.lstrip(".")]).rstrip(".")
        found.add(name)
    return found


@dataclass(slots=True)
class _Links:
    """What the launches and uses of all files say of one kernel."""

    launchers: dict[str, HostFunction]
    used_by: set[str]


class _Linker:
    """Follows names from file to file; an entity is (module, qualname)."""

    def __init__(self, index: dict[str, ModuleFacts]) -> None:
        self.index = index
        self.defined = {
            (name, kernel.qualname.partition("#")[0]): kernel
            for name, facts in index.items()
            for kernel in facts.kernels
        }
        self._memory: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}

    def kernels(self) -> list[Kernel]:
        links = {key: _Links({}, set()) for key in self.defined}
        callers = self._callers()
        for name, facts in self.index.items():
            self._link_launches(name, facts, links, callers)
            for kernel in facts.kernels:
                user = f"{facts.path}::{kernel.qualname}"
                for reference in kernel.uses:
                    for key in self.resolve(name, reference) & links.keys():
                        if key != (name, kernel.qualname):
                            links[key].used_by.add(user)
        return [
            _record(facts, kernel, links[name, kernel.qualname.partition("#")[0]])
            for name, facts in self.index.items()
            for kernel in facts.kernels
        ]

    def _callers(self) -> dict[tuple[str, str], set[str]]:
        callers: dict[tuple[str, str], set[str]] = defaultdict(set)
        for name, facts in self.index.items():
            for host, called in facts.calls.items():
                for reference in called:
                    for key in self.resolve(name, reference):
                        if key != (name, host):
                            callers[key].add(f"{facts.path}::{host}")
        return callers

    def _link_launches(
        self,
        name: str,
        facts: ModuleFacts,
        links: dict[tuple[str, str], _Links],
        callers: dict[tuple[str, str], set[str]],
    ) -> None:
        for host in facts.launches.keys() | facts.passed.keys():
            references = facts.launches.get(host, frozenset()) | facts.passed.get(host, frozenset())
            found = {key for reference in references for key in self.resolve(name, reference)} & links.keys()
            if host == "<module>":  # a wrapper made once: whoever uses its name launches
                launched = facts.launches.get(host, frozenset())
                found &= {key for reference in launched for key in self.resolve(name, reference)}
            definition = facts.functions.get(host)
            for key in found:
                links[key].launchers[f"{facts.path}::{host}"] = HostFunction(
                    path=facts.path,
                    qualname=host,
                    line=definition.line if definition else 1,
                    callers=tuple(sorted(callers.get((name, host), ()))),
                )

    def resolve(self, module: str, reference: str) -> frozenset[tuple[str, str]]:
        """The functions and kernels that a reference may mean, seen from inside a module."""
        key = (module, reference)
        if key not in self._memory:
            self._memory[key] = frozenset(self._follow(key))
        return self._memory[key]

    def _follow(self, start: tuple[str, str]) -> Iterator[tuple[str, str]]:
        """Names lead to names; each is visited once, so a cycle of aliases or imports ends."""
        seen = {start}
        pending = [(start, 0)]
        while pending:
            (module, reference), hops = pending.pop()
            facts = self.index.get(module)
            if facts is None or hops > MAX_HOPS:
                continue
            bare = reference.removesuffix("()")
            steps: Iterable[tuple[str, str]]
            if bare != reference:
                steps = self._returned(module, bare)
            else:
                if (module, bare) in self.defined or bare in facts.functions:
                    yield module, bare
                steps = self._steps(facts, bare)
            for step in steps:
                if step not in seen:
                    seen.add(step)
                    pending.append((step, hops + 1))

    def _returned(self, module: str, function: str) -> Iterator[tuple[str, str]]:
        for owner, name in self.resolve(module, function):
            for returned in self.index[owner].returns.get(name, ()):
                yield owner, returned

    def _steps(self, facts: ModuleFacts, bare: str) -> Iterator[tuple[str, str]]:
        """What a name stands for one step on: an alias's values, an import's origin, `kernel.fn`'s kernel."""
        if bare in facts.aliases:
            yield from ((facts.module, value) for value in facts.aliases[bare])
        head, _, last = bare.rpartition(".")
        if head and last in WRAPPED:
            yield facts.module, head
        root, _, rest = bare.partition(".")
        if root in facts.aliases and rest and rest.count(".") < 2:
            yield from ((facts.module, f"{value}.{rest}") for value in facts.aliases[root] if "()" not in value)
        if root in facts.imports:
            target = facts.imports[root]
            yield from self._absolute(f"{target}.{rest}" if rest else target)
        elif root not in facts.functions:
            yield from ((star, bare) for star in facts.stars)

    def _absolute(self, name: str) -> Iterator[tuple[str, str]]:
        module, rest = name, ""
        while module:
            if module in self.index and rest:
                yield module, rest
                return
            module, _, last = module.rpartition(".")
            rest = f"{last}.{rest}" if rest else last


def _record(facts: ModuleFacts, kernel: Definition, links: _Links) -> Kernel:
    language: Language = "gluon" if kernel.jit == "gluon" else "triton"
    role: Role = "kernel" if links.launchers else "device" if links.used_by else "unknown"
    return Kernel(
        path=facts.path,
        line=kernel.line,
        end_line=kernel.end_line,
        name=kernel.qualname.rpartition(".")[2].partition("#")[0],
        qualname=kernel.qualname,
        language=language,
        role=role,
        decorators=kernel.decorators,
        launchers=tuple(links.launchers[key] for key in sorted(links.launchers)),
        used_by=tuple(sorted(links.used_by)),
    )


READERS: dict[Language, Reader] = {"triton": read_triton, "gluon": read_triton}
"""Who reads which language; one reader may read several in one pass."""


NAMINGS: tuple[Callable[[Kernel], set[str]], ...] = (
    lambda kernel: {kernel.id},
    lambda kernel: {kernel.name, kernel.qualname},
    lambda kernel: {name for host in kernel.launchers for name in (host.qualname, host.id)},
)
"""How a user may name a kernel: the most exact way that fits anything decides."""


def find_kernel(scan: Scan, text: str) -> Kernel:
    """The kernel of that id, bare name, or launcher's name. UsageError where there is none or more than one."""
    for names in NAMINGS:
        found = [kernel for kernel in scan.kernels if text in names(kernel)]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(kernel.id for kernel in found[:6])
            more = f" and {len(found) - 6} more" if len(found) > 6 else ""
            raise UsageError(f"{text!r} names {len(found)} kernels: {ids}{more}", "give the whole id")
    raise UsageError(f"{scan.tree}: no kernel {text!r}", f"nearest: {_nearest(scan, text)}")


def _nearest(scan: Scan, text: str) -> str:
    by_name = {kernel.name: kernel.id for kernel in scan.kernels}
    by_id = {kernel.id: kernel.id for kernel in scan.kernels}
    near = difflib.get_close_matches(text, by_id if "::" in text else by_name, n=3, cutoff=0.4)
    return (
        ", ".join((by_id if "::" in text else by_name)[name] for name in near) or "none; 'kmaint scan TREE' lists them"
    )
