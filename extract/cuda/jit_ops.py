"""SGLang's operators: Python functions over `load_jit`, which names the CUDA files and the C++ wrappers to build."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from extract.tree import SourceTree

LOADER = "load_jit"
JIT_FOLDER = "kernels/jit"
"""Below the package: what the loader's file names and includes are relative to."""

NAMESPACE = re.compile(rb"[\"']namespace (\w+) \{[\"']")
"""How the loader's own source spells what it puts its exports into, if anything."""

WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, kw_only=True)
class JitOp:
    """A Python function that ends in a module built by `loaders`, functions of the same file that call `load_jit`.

    `path` is the first CUDA file they name, `files` all of them; `symbols` are the words of their C++ wrappers.
    `needs` are header libraries from outside the tree that they ask for.
    """

    name: str
    module: str
    loaders: tuple[str, ...]
    path: str
    files: tuple[str, ...]
    symbols: frozenset[str]
    folders: tuple[str, ...]
    needs: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.module}::{self.name}"


@dataclass(frozen=True)
class _Loader:
    name: str
    files: tuple[str, ...]
    symbols: frozenset[str]
    needs: tuple[str, ...]


def read(tree: SourceTree) -> Iterator[JitOp]:
    """Operators of every Python file that calls the loader; a file that does not parse has none."""
    package = tree.package_root / tree.framework
    jit = jit_folder(tree)
    if not (tree.root / jit).is_dir():
        return
    for path in sorted((package / "kernels").rglob("*.py")):
        source = path.read_bytes()
        if b"load_jit(" not in source or path.is_relative_to(tree.root / jit):
            continue
        try:
            module = ast.parse(source)
        except SyntaxError:
            continue
        yield from _of_module(module, path.relative_to(tree.root).as_posix(), jit, tree)


def jit_folder(tree: SourceTree) -> str:
    """Where the loader's sources and headers lie, relative to the tree."""
    return (tree.package_root / tree.framework / JIT_FOLDER).relative_to(tree.root).as_posix()


def export_namespace(tree: SourceTree) -> str:
    """The C++ namespace in which the tree's loader exports its wrappers; empty where it names none."""
    sources = sorted((tree.root / jit_folder(tree) / "utils").rglob("*.py"))
    found = (NAMESPACE.search(path.read_bytes()) for path in sources)
    return next((one[1].decode() for one in found if one), "")


def _of_module(module: ast.Module, relative: str, jit: str, tree: SourceTree) -> Iterator[JitOp]:
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    loaders = {name: found for name in functions if (found := _loader(name, functions, jit, tree))}
    for name, node in functions.items():
        used = [loaders[one] for one in sorted(_reached(name, functions)) if one in loaders and one != name]
        if name in loaders or not used or name.startswith("_") or _decides(node):
            continue
        files = tuple(dict.fromkeys(path for one in used for path in one.files))
        yield JitOp(
            name=name,
            module=relative,
            loaders=tuple(one.name for one in used),
            path=files[0],
            files=files,
            symbols=frozenset().union(*(one.symbols for one in used)),
            folders=(f"{jit}/include",),
            needs=tuple(sorted({need for one in used for need in one.needs})),
        )


def _decides(node: ast.FunctionDef) -> bool:
    """`can_use_x(...) -> bool` builds a module to see whether it builds: no operator."""
    return isinstance(node.returns, ast.Name) and node.returns.id == "bool"


def _reached(name: str, functions: dict[str, ast.FunctionDef]) -> set[str]:
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        for node in ast.walk(functions[current]):
            if isinstance(node, ast.Name) and node.id in functions and node.id not in reached:
                reached.add(node.id)
                waiting.append(node.id)
    return reached


def _loader(name: str, functions: dict[str, ast.FunctionDef], jit: str, tree: SourceTree) -> _Loader | None:
    """What a function that calls `load_jit` builds; None where its files cannot be read off.

    The C++ class may be chosen by another function, so the words of those that it calls count too.
    """
    for node in ast.walk(functions[name]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == LOADER:
            options = {keyword.arg: keyword.value for keyword in node.keywords}
            texts = [text for text in _strings(options.get("cuda_files")) if PurePosixPath(text).suffix]
            files = tuple(path for text in texts if (tree.root / (path := f"{jit}/csrc/{text}")).is_file())
            named = [functions[one] for one in (name, *_reached(name, functions))]
            words = {word for one in named for text in _strings(one) for word in WORD.findall(text)}
            if files:
                return _Loader(name, files, frozenset(words), tuple(_strings(options.get("extra_dependencies"))))
    return None


def _strings(node: ast.AST | None) -> Iterator[str]:
    for one in ast.walk(node) if node is not None else ():
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value
