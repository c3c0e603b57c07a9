"""What of a framework leads to each kernel: launchers, those who call them, and the operators that registries name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from extract.evidence.chunks import Chunks, words
from extract.evidence.exercise import OPERATOR, Imports, Surface
from extract.evidence.files import TreeFiles
from extract.evidence.registrations import Registry
from kmaint.layout import use_of
from kmaint.records.kernel import Kernel, Registration

HOPS = 2
"""Calls inside one file that lead from a launcher to what other files import."""

CPP_LANGUAGES = frozenset({"cuda", "hip"})


Way = tuple[int, str, str]
"""The distance in calls, path and top-level name of what leads to a kernel."""


def host_paths(ways: Iterable[Sequence[Way]]) -> set[str]:
    """Python files of the framework that launch a kernel or call who does."""
    paths = {path for leading in ways for _, path, _ in leading}
    return {path for path in paths if path.endswith(".py") and not use_of(path)}


def ways_to(kernel: Kernel) -> Iterator[Way]:
    """The kernel itself, its launchers, and who calls those."""
    yield 0, kernel.path, _root(kernel.qualname)
    for host in kernel.launchers:
        if host.qualname != "<module>":
            yield 0, host.path, _root(host.qualname)
        for caller in host.callers:
            path, _, qualname = caller.partition("::")
            if qualname != "<module>":
                yield 1, path, _root(qualname)


def _root(qualname: str) -> str:
    return qualname.partition(".")[0].partition("#")[0]


def registrations_of(
    files: TreeFiles, kernels: Sequence[Kernel], ways: Iterable[Sequence[Way]], registry: Registry
) -> list[list[Registration]]:
    """What registries say of each kernel, in the order of the kernels."""
    reached = _operator_functions(files, kernels, registry)
    return [
        list(dict.fromkeys(_registered(kernel, leading, registry, reached)))
        for kernel, leading in zip(kernels, ways, strict=True)
    ]


def _registered(
    kernel: Kernel, ways: Sequence[Way], registry: Registry, reached: dict[str, dict[str, list[Registration]]]
) -> Iterator[Registration]:
    if kernel.language in CPP_LANGUAGES:
        for host in kernel.launchers:
            yield from registry.cpp.get(host.qualname.rpartition("::")[2], ())
        yield from reached.get(kernel.path, {}).get(kernel.name, ())
        yield from (registration for registration, _ in registry.modules_of(kernel.path))
    for _, path, name in ways:
        yield from registry.python.get((path, name), ())


def _operator_functions(
    files: TreeFiles, kernels: Sequence[Kernel], registry: Registry
) -> dict[str, dict[str, list[Registration]]]:
    """By file and kernel name: operators whose C++ function stands in the same file and leads to that kernel."""
    names: dict[str, dict[str, None]] = defaultdict(dict)
    for kernel in kernels:
        if kernel.language in CPP_LANGUAGES and kernel.path.endswith((".cu", ".hip", ".cpp", ".cc")):
            names[kernel.path][kernel.name] = None
    found: dict[str, dict[str, list[Registration]]] = {}
    calls = [(path, tuple(inside)) for path, inside in names.items()]
    for (path, inside), users in zip(calls, files.ask_all(users_in_cpp, calls), strict=True):
        found[path] = {
            name: [one for user in of_name for one in registry.cpp.get(user, ())]
            for name, of_name in zip(inside, users, strict=True)
        }
    return found


FUNCTION = re.compile(rb"^[^\s#/{}][^;{}#]*?\b(\w+)\s*\([^;{}]*\)\s*(?:const\s*)?\{", re.MULTILINE)
MACRO = re.compile(rb"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:[^\n]*\\\n)*[^\n]*)", re.MULTILINE)


def _bodies(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Functions at the margin and macros of a C++ file, up to the brace at the margin that ends them."""
    for match in FUNCTION.finditer(content):
        end = content.find(b"\n}", match.end())
        yield match[1].decode(), content[match.end() : end if end >= 0 else len(content)]
    for match in MACRO.finditer(content):
        yield match[1].decode(), match[2]


def users_in_cpp(chunks: Chunks, names: tuple[str, ...]) -> list[list[str]]:
    """For each name the functions and macros of a C++ file that use it, themselves or through each other."""
    bodies = dict(_bodies(chunks.content))
    return [sorted(_uses_of(name, bodies)) for name in names]


def _uses_of(name: str, bodies: dict[str, bytes]) -> set[str]:
    found, pending = set[str](), [name]
    while pending:
        word = pending.pop().encode()
        users = {
            user for user, body in bodies.items() if user not in found and next(words(body, word), None) is not None
        }
        found |= users
        pending += users
    return found


def surface_of(
    imports: Imports, kernels: Sequence[Kernel], ways: Iterable[Sequence[Way]], registry: Registry
) -> Surface:
    """Symbols and operators from which the kernels can be reached, with the distance in calls."""
    files, surface = imports.files, Surface()
    names: dict[str, dict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    for number, (kernel, leading) in enumerate(zip(kernels, ways, strict=True)):
        for distance, path, name in (*leading, *_by_modules(kernel, registry)):
            if use_of(path):
                surface.add_seed(path, name, number)
            elif path in files.module_of:
                names[path][name].setdefault(number, distance)
        for registration in kernel.registrations:
            if registration.registry == "PyTorch operator":
                surface.add_operator(registration.name.rpartition("::")[2], number, 1)
    wanted = imports.offered_to_users()
    calls = [(path, name) for path, by_name in names.items() if files.module_of[path] in wanted for name in by_name]
    for (path, name), users in zip(calls, files.ask_all(users_of, calls), strict=True):
        for user, hops in users.items():
            for number, distance in names[path][name].items():
                surface.add((files.module_of[path], user), number, distance + hops)
    _add_operator_modules(files, surface)
    return surface


def users_of(chunks: Chunks, name: str) -> dict[str, int]:
    """Functions and classes of a file through which its callers reach a name, by how many steps away."""
    return chunks.users([name], hops=HOPS)


def _by_modules(kernel: Kernel, registry: Registry) -> Iterator[Way]:
    """What compiles a kernel's file on first use."""
    if kernel.language in CPP_LANGUAGES:
        yield from ((1, registration.path, name) for registration, name in registry.modules_of(kernel.path))


def _add_operator_modules(files: TreeFiles, surface: Surface) -> None:
    """Functions of modules that wrap operators one by one, such as vllm._custom_ops."""
    for module, path in files.modules.items():
        if module.count(".") == 1 and re.fullmatch(r"\w+\._\w*ops", module):
            for operator, function in files.ask(operator_functions, path):
                for number, distance in surface.operators.get(operator, {}).items():
                    surface.add((module, function), number, distance + 1)


def operator_functions(chunks: Chunks) -> list[tuple[str, str]]:
    """PyTorch operators that a file names, each with the function or class that does."""
    places = ((match[2].decode(), chunks.at(match.start())) for match in OPERATOR.finditer(chunks.content))
    return [(operator, chunk.name) for operator, chunk in places if chunk.kind in ("def", "class")]
