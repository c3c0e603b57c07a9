"""One module of the tree as slicing sees it: statements with the names they bind, and imports with their conditions."""

from __future__ import annotations

import ast
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from extract.names import Decide, Names, dotted, names_of
from extract.slicing.binding import Imported, bodies, bound_names, changed_names, imports_below
from extract.tree import SourceTree
from kmaint.folder import indented

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, eq=False)
class Statement:
    """A module-level statement; `line` to `end_line` are its lines, decorators and attached comments included."""

    node: ast.stmt
    line: int
    end_line: int
    names: tuple[str, ...]
    indent: int = 0
    """How many columns its lines stand to the right in the file: more than none inside a class or a function."""


@dataclass(eq=False)
class Module:
    """A parsed file of the tree."""

    name: str
    path: Path
    relative: str
    package: str
    lines: list[str]
    bindings: dict[str, list[Statement]] = field(default_factory=dict)
    imports: dict[str, list[Imported]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    declared: frozenset[str] = frozenset()
    """Names that functions declare global: some are bound by nothing else."""
    future: bool = False
    """Whether its annotations are never evaluated."""
    source: bytes = b""
    outer: Module | None = None
    """The module around it, where this is what a class or a function defines."""
    local: frozenset[str] = frozenset()
    """Names that mean something else in a function than they do in its module, and that no statement gives."""

    def text(self, statement: Statement) -> str:
        """The statement's lines as they stand in the file, but for the columns before an indented one."""
        return lifted("".join(self.lines[statement.line - 1 : statement.end_line]), statement.indent)

    def inner_imports(self, statement: Statement) -> Iterator[Imported]:
        """Imports that run when a statement taken whole runs."""
        if isinstance(statement.node, (ast.If, ast.Try, ast.With)):
            for _, one in imports_below([statement.node], self.package):
                yield one


class Library:
    """The modules of a tree, each parsed once."""

    def __init__(self, tree: SourceTree) -> None:
        self.tree = tree
        self._modules: dict[str, Module | None] = {}
        self.used: set[str] = set()
        """Paths of the modules asked for; who wants to know what one slice depends on empties it before."""
        self._names: dict[int, tuple[Names, set[str]]] = {}

    def module(self, name: str) -> Module | None:
        """The module of that dotted name, or None where the tree holds no such file."""
        if name not in self._modules:
            path = self.tree.file_of(name)
            self._modules[name] = None if path is None else read_module(self.tree, path, name)
        found = self._modules[name]
        if found is not None:
            self.used.add(found.relative)
        return found

    def names_of(self, statement: Statement, decide: Decide) -> Names:
        """What a statement of one of these modules needs, worked out once, however many slices take it."""
        key = id(statement.node)
        if key not in self._names:
            others, self.used = self.used, set()
            self._names[key] = names_of(statement.node, decide), self.used
            self.used = others
        found, asked = self._names[key]
        self.used |= asked
        return found

    def scope(self, module: Module, qualname: str) -> tuple[Module, str]:
        """Where a definition stands, as a module of its own if inside a class or function, and its bare name there.

        LookupError where the module defines no such thing.
        """
        name = qualname.rpartition(".")[2]
        key = f"{module.name}:{qualname}"
        if key not in self._modules:
            self._modules[key] = read_scope(module, qualname.replace(".<locals>", "").split("."))
        found = self._modules[key]
        assert found is not None
        return found, name

    def at(self, relative: str) -> Module:
        """The module in a file of the tree."""
        path = self.tree.root / relative
        name = self.tree.module_of(path)
        if name not in self._modules or self._modules[name] is None:
            self._modules[name] = read_module(self.tree, path, name)
        found = self._modules[name]
        assert found is not None
        self.used.add(found.relative)
        return found


def read_module(tree: SourceTree, path: Path, name: str) -> Module:
    """Parse a file that a scan has read before; SyntaxError where it cannot be."""
    source = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = ast.parse(source)
    text = source.decode("utf-8-sig").replace("\r\n", "\n")
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    module = Module(name, path, tree.relative(path), package, list(io.StringIO(text, newline="\n")), source=source)
    module.declared = frozenset(
        name for node in ast.walk(parsed) if isinstance(node, ast.Global) for name in node.names
    )
    for node in parsed.body:
        _read_statement(module, node)
    return module


def read_scope(module: Module, parts: list[str]) -> Module:
    """The innermost function around a definition as a module of its own, in its turn inside those around it.

    A definition in a class stands alone: what else the class defines is not seen from inside its functions.
    LookupError where there is no such definition.
    """
    *owners, name = parts
    body: list[ast.stmt] = [one.node for found in module.bindings.values() for one in found]
    for depth, part in enumerate(owners, start=1):
        owner = next((node for node in _definitions(body) if node.name == part), None)
        if owner is None:
            raise LookupError(f"{part}: not defined in {module.relative}")
        body = owner.body
        last = depth == len(owners)
        if last or not isinstance(owner, ast.ClassDef):
            taken = [node for node in body if name in bound_names(node)] if isinstance(owner, ast.ClassDef) else body
            module = _inner(module, part, taken, _locals(owner))
    if name not in module.bindings:
        raise LookupError(f"{name}: not defined in {'.'.join(owners)} of {module.relative}")
    return module


def _inner(module: Module, name: str, body: list[ast.stmt], local: frozenset[str]) -> Module:
    scope = Module(f"{module.name}:{name}", module.path, module.relative, module.package, module.lines)
    scope.outer, scope.local = module, local
    scope.source, scope.declared, scope.future = module.source, module.declared, module.future
    for node in body:
        _read_statement(scope, node)
    return scope


def _locals(owner: Definition) -> frozenset[str]:
    if isinstance(owner, ast.ClassDef):
        return frozenset()
    arguments = owner.args
    own = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    bound = {node.id for node in ast.walk(owner) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return frozenset({one.arg for one in own if one is not None} | bound)


def _definitions(body: list[ast.stmt]) -> Iterator[Definition]:
    for node in body:
        if isinstance(node, Definition):
            yield node
        else:
            for inner in bodies(node):
                yield from _definitions(inner)


def lifted(text: str, columns: int) -> str:
    """The text moved that many columns to the left. ValueError where a line has something else than blanks there.

    `indented` undoes it: where it would not, as in a text with blanks on empty lines, that is a ValueError too.
    """
    if not columns:
        return text
    moved = "".join(line[columns:] if line.strip() else line.lstrip(" \t") for line in text.splitlines(keepends=True))
    if indented(moved, columns) != text:
        raise ValueError("its lines cannot be moved to the left and back")
    return moved


def _read_statement(module: Module, node: ast.stmt) -> None:
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        module.future = module.future or any(alias.name == "annotations" for alias in node.names)
        return
    for name, one in imports_below([node], module.package):
        if name == "*":
            module.stars.append(one.target)
        else:
            module.imports.setdefault(name, []).append(one)
    names = tuple(
        dict.fromkeys([*bound_names(node), *(name for name in changed_names(node) if name in module.bindings)])
    )
    if names:
        first, indent = _first_line(module, node), 0 if module.outer is None else node.col_offset
        statement = Statement(node, first, node.end_lineno or node.lineno, names, indent)
        for name in names:
            module.bindings.setdefault(name, []).append(statement)


def _first_line(module: Module, node: ast.stmt) -> int:
    """The first decorator's line, or that of the comment that stands directly above."""
    decorators: list[ast.expr] = [one for one in getattr(node, "decorator_list", []) if dotted(one) != "staticmethod"]
    line = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    first = line
    while first > 1 and module.lines[first - 2].startswith("#") and not module.lines[first - 2].startswith("# SPDX"):
        first -= 1
    return first if first > 1 else line  # a comment that opens the file is about the file
