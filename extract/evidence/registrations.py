"""Where registries name a kernel: PyTorch operators, SGLang's kernel registry, its fused and JIT modules."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from extract.evidence.exercise import Imports
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


def read_registry(imports: Imports, paths: set[str]) -> Registry:
    """Registrations in the given Python files, in SGLang's registry of kernels, and in C++."""
    registry = Registry()
    framework = imports.files.tree.framework
    for path in sorted(path for path in paths if not use_of(path)):
        _read_python(imports, path, framework, registry)
    if framework == "sglang":
        _read_sglang(imports, paths, registry)
    for path in imports.files.listing.cpp:
        content = imports.files.read(path)
        if b"TORCH_LIBRARY" in content:
            _read_cpp(path, content, registry)
    return registry


def _line(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1


def _read_python(imports: Imports, path: str, framework: str, registry: Registry) -> None:
    content = imports.files.read(path)
    if b"custom_op" in content or b"triton_op" in content:
        chunks = imports.chunks(path)
        for match in DECORATOR.finditer(content):
            chunk = chunks.at(match.start())
            if chunk.kind == "def":
                name = match[2].decode() if match[2] else chunk.name
                spelled = name if "::" in name else f"{framework}::{name}"
                found = Registration(
                    registry="PyTorch operator", name=spelled, path=path, line=_line(content, match.start())
                )
                registry.python[path, chunk.name].append(found)
        for match in CALL.finditer(content):
            found = Registration(
                registry="PyTorch operator",
                name=f"{framework}::{match[1].decode()}",
                path=path,
                line=_line(content, match.start()),
            )
            registry.python[path, match[2].decode().partition(".")[0]].append(found)


def _read_sglang(imports: Imports, paths: set[str], registry: Registry) -> None:
    """The registry of `sglang.kernels`: specifications, fused operators, and modules compiled on first use."""
    files = imports.files
    kernels = (path for path in files.listing.python if "sglang/kernels/" in path)
    for path in sorted(path for path in paths.union(kernels) if not use_of(path)):
        content = files.read(path)
        if b"KernelSpec(" in content:
            for spec in _specifications(content):
                owner = files.modules.get(spec.module)
                if owner:
                    found = Registration(registry="sglang.kernels", name=spec.op, path=path, line=spec.line)
                    registry.python[owner, spec.function].append(found)
        if b"BaseFusedOp)" in content:
            _read_fused(imports, path, content, registry)
        if b"cuda_files" in content:
            _read_modules(imports, path, content, registry)


def _read_fused(imports: Imports, path: str, content: bytes, registry: Registry) -> None:
    for match in FUSED.finditer(content):
        chunk = imports.chunks(path).at(match.start())
        if chunk.kind == "class":
            line = _line(content, match.start() + 1)
            found = Registration(registry="sglang fused op", name=match[1].decode(), path=path, line=line)
            registry.python[path, chunk.name].append(found)


def _read_modules(imports: Imports, path: str, content: bytes, registry: Registry) -> None:
    for match in MODULE_FILES.finditer(content):
        chunk = imports.chunks(path).at(match.start())
        for quoted in QUOTED.findall(match[1]):
            found = Registration(
                registry="sglang JIT module", name=chunk.name, path=path, line=_line(content, match.start())
            )
            registry.sources[quoted.decode()].append((found, chunk.name))


def _read_cpp(path: str, content: bytes, registry: Registry) -> None:
    libraries = [(match.start(), match[1].decode()) for match in LIBRARY.finditer(content)]
    for match in IMPLEMENTED.finditer(content):
        space = next((name for start, name in reversed(libraries) if start < match.start()), "")
        # Where the build names the library, the operator's own name is all that is certain.
        known = space and space not in NAMED_BY_BUILD
        name = f"{space}::{match[1].decode()}" if known else match[1].decode()
        found = Registration(registry="PyTorch operator", name=name, path=path, line=_line(content, match.start()))
        registry.cpp[match[2].decode().rpartition("::")[2]].append(found)


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
