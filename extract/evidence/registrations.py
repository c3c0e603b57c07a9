"""Where registries name a kernel: PyTorch operators, SGLang's kernel registry, its fused and JIT modules."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from extract.evidence.chunks import Chunks
from extract.evidence.files import TreeFiles
from kmaint.layout import use_of
from kmaint.records.kernel import Registration

DECORATOR = re.compile(
    rb"""@(?:[\w.]+\.)?(register_custom_op|custom_op|triton_op)\b(?:\(\s*(?:op_name\s*=\s*)?["']([\w:]+)["'])?"""
)
CALL = re.compile(rb"""direct_register_custom_op\(\s*(?:op_name\s*=\s*)?["'](\w+)["'],\s*(?:op_func\s*=\s*)?([\w.]+)""")
FUSED = re.compile(rb"""\n    op(?:: *\w+)? = ["']([\w.]+)["']""")
MODULE_FILES = re.compile(rb"""cuda_files *= *\[([^\]]*)\]""")
QUOTED = re.compile(rb"""["']([^"'\n]+)["']""")
NAMED_BY_BUILD = frozenset({"TORCH_EXTENSION_NAME", "CONCAT", "NAME"})
LIBRARY = re.compile(rb"TORCH_LIBRARY\w*\(\s*(\w+)")
IMPLEMENTED = re.compile(rb"""\.(?:impl|def)\(\s*"(\w+)[^"]*",\s*(?:[\w:]+,\s*)?(?:TORCH_BOX\(\s*)?&?([\w:]+)""")


@dataclass(slots=True)
class Registry:
    """What is registered, by what it names: a Python function or class, a C++ function, a CUDA source file."""

    python: dict[tuple[str, str], list[Registration]] = field(default_factory=lambda: defaultdict(list))
    """By (path, top-level name)."""
    cpp: dict[str, list[Registration]] = field(default_factory=lambda: defaultdict(list))
    """By the bare name of the C++ function."""
    sources: dict[str, list[tuple[Registration, str]]] = field(default_factory=lambda: defaultdict(list))
    """By the end of a CUDA file's path; with the name of the Python function that compiles it."""

    def modules_of(self, path: str) -> Iterator[tuple[Registration, str]]:
        """What compiles a CUDA file on first use, and the Python function that does."""
        parts = path.split("/")
        for start in range(len(parts)):
            yield from self.sources.get("/".join(parts[start:]), ())


def read_registry(files: TreeFiles, paths: set[str]) -> Registry:
    """Registrations in the given Python files, in SGLang's registry of kernels, and in C++."""
    registry = Registry()
    framework = files.tree.framework
    asked = [(path, path, framework) for path in sorted(paths) if not use_of(path)]
    for (path, *_), operators in zip(asked, files.ask_all(python_operators, asked), strict=True):
        for found, name in operators:
            registry.python[path, name].append(found)
    if framework == "sglang":
        _read_sglang(files, paths, registry)
    for bindings in files.ask_all(cpp_operators, [(path, path) for path in files.listing.cpp]):
        for found, name in bindings:
            registry.cpp[name].append(found)
    return registry


def _read_sglang(files: TreeFiles, paths: set[str], registry: Registry) -> None:
    """The registry of `sglang.kernels`: specifications, fused operators, and modules compiled on first use."""
    asked = [(path, path) for path in sorted(paths.union(registering(files))) if not use_of(path)]
    for (path, _), found in zip(asked, files.ask_all(sglang_registrations, asked), strict=True):
        for registration, module, function in found.specifications:
            if owner := files.modules.get(module):
                registry.python[owner, function].append(registration)
        for registration, name in found.fused:
            registry.python[path, name].append(registration)
        for registration, name, source in found.modules:
            registry.sources[source].append((registration, name))


def registering(files: TreeFiles) -> list[str]:
    """The package of SGLang that registers kernels, wherever those are."""
    return [path for path in files.listing.python if "sglang/kernels/" in path and not use_of(path)]


def _line(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1


def python_operators(chunks: Chunks, path: str, framework: str) -> list[tuple[Registration, str]]:
    """PyTorch operators that a Python file registers, each with the top-level name that it stands for."""
    content, registry = chunks.content, "PyTorch operator"
    found: list[tuple[Registration, str]] = []
    if b"custom_op" in content or b"triton_op" in content:
        for match in DECORATOR.finditer(content):
            chunk = chunks.at(match.start())
            if chunk.kind == "def":
                name = match[2].decode() if match[2] else chunk.name
                spelled = name if "::" in name else f"{framework}::{name}"
                line = _line(content, match.start())
                found.append((Registration(registry=registry, name=spelled, path=path, line=line), chunk.name))
        for match in CALL.finditer(content):
            spelled, line = f"{framework}::{match[1].decode()}", _line(content, match.start())
            registration = Registration(registry=registry, name=spelled, path=path, line=line)
            found.append((registration, match[2].decode().partition(".")[0]))
    return found


class SglangRegistrations(NamedTuple):
    """What one file of SGLang registers: with the module and function it targets, its class, or its CUDA file."""

    specifications: list[tuple[Registration, str, str]]
    fused: list[tuple[Registration, str]]
    modules: list[tuple[Registration, str, str]]


def sglang_registrations(chunks: Chunks, path: str) -> SglangRegistrations:
    """Specifications, fused operators, and modules that a function compiles on first use."""
    content, found = chunks.content, SglangRegistrations([], [], [])
    for spec in _specifications(content) if b"KernelSpec(" in content else ():
        registration = Registration(registry="sglang.kernels", name=spec.op, path=path, line=spec.line)
        found.specifications.append((registration, spec.module, spec.function))
    for match in FUSED.finditer(content) if b"BaseFusedOp)" in content else ():
        chunk = chunks.at(match.start())
        if chunk.kind == "class":
            line = _line(content, match.start() + 1)
            registration = Registration(registry="sglang fused op", name=match[1].decode(), path=path, line=line)
            found.fused.append((registration, chunk.name))
    for match in MODULE_FILES.finditer(content) if b"cuda_files" in content else ():
        name, line = chunks.at(match.start()).name, _line(content, match.start())
        registration = Registration(registry="sglang JIT module", name=name, path=path, line=line)
        found.modules.extend((registration, name, quoted.decode()) for quoted in QUOTED.findall(match[1]))
    return found


def cpp_operators(chunks: Chunks, path: str) -> list[tuple[Registration, str]]:
    """PyTorch operators that a C++ file registers, each with the bare name of its C++ function."""
    content = chunks.content
    found: list[tuple[Registration, str]] = []
    if b"TORCH_LIBRARY" not in content:
        return found
    libraries = [(match.start(), match[1].decode()) for match in LIBRARY.finditer(content)]
    for match in IMPLEMENTED.finditer(content):
        space = next((name for start, name in reversed(libraries) if start < match.start()), "")
        # Where the build names the library, the operator's own name is all that is certain.
        known = space and space not in NAMED_BY_BUILD
        name, line = match[1].decode(), _line(content, match.start())
        registration = Registration(
            registry="PyTorch operator", name=f"{space}::{name}" if known else name, path=path, line=line
        )
        found.append((registration, match[2].decode().rpartition("::")[2]))
    return found


@dataclass(frozen=True, slots=True)
class _Specification:
    op: str
    module: str
    function: str
    line: int


def _specifications(content: bytes) -> Iterator[_Specification]:
    """Every `KernelSpec(op=..., target="module:function")`, also those made in loops over literal lists."""
    try:
        module = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return
    yield from _in_block(module.body, {})


def _in_block(body: list[ast.stmt], names: dict[str, object]) -> Iterator[_Specification]:
    for statement in body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ):
                if value is not None and (literal := _value(value, names)) is not None:
                    names[name] = literal
            case ast.For(target=target, iter=source, body=inner):
                items = _value(source, names)
                for item in items if isinstance(items, (list, tuple)) else ():
                    yield from _in_block(inner, {**names, **_bound(target, item)})
            case ast.If(body=inner, orelse=other):
                yield from _in_block([*inner, *other], names)
            case _:
                pass
        if isinstance(statement, (ast.Expr, ast.Assign)):
            for call in ast.walk(statement):
                if isinstance(call, ast.Call) and _called(call) == "KernelSpec":
                    yield from _specification(call, names)


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _specification(call: ast.Call, names: dict[str, object]) -> Iterator[_Specification]:
    given = {word.arg: _value(word.value, names) for word in call.keywords}
    op, target = given.get("op"), given.get("target")
    if isinstance(op, str) and isinstance(target, str) and ":" in target:
        module, _, function = target.partition(":")
        yield _Specification(op, module, function.partition(".")[0], call.lineno)


def _bound(target: ast.expr, item: object) -> dict[str, object]:
    match target, item:
        case ast.Name(id=name), _:
            return {name: item}
        case ast.Tuple(elts=parts), (list() | tuple()):
            bound = (_bound(part, one) for part, one in zip(parts, item, strict=False))
            return {name: value for one in bound for name, value in one.items()}
        case _:
            return {}


def _value(node: ast.expr, names: dict[str, object]) -> object | None:
    """What an expression of literals, known names and f-strings stands for; None where it is none."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names.get(name)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return [_value(part, names) for part in parts]
        case ast.JoinedStr(values=parts):
            words = [_value(p.value if isinstance(p, ast.FormattedValue) else p, names) for p in parts]
            return None if None in words else "".join(map(str, words))
        case ast.Call(func=ast.Attribute(value=ast.Dict(keys=keys, values=values), attr="items")):
            return [[_value(k, names), _value(v, names)] for k, v in zip(keys, values, strict=True) if k is not None]
        case _:
            return None
