"""Names as Python spells them, and which a statement needs: at run time, in annotations only, or in dead branches."""

from __future__ import annotations

import ast
import pickle
import symtable
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

Decide = Callable[[ast.expr], bool | None]
"""What a test comes out as on the platform that is sliced for; None where that is not known."""


@dataclass(frozen=True)
class Names:
    """`chains` are dotted uses (`torch.cuda.get_device_capability`); `lazy` what is imported inside functions.

    `certain` is what of that stands in a function's own body and not on one arm of it, with the name it has there.
    """

    runtime: frozenset[str]
    annotations: frozenset[str]
    dead: frozenset[str]
    chains: frozenset[str]
    lazy: frozenset[str]
    certain: frozenset[tuple[str, str]]


def absolute(package: str, node: ast.ImportFrom) -> str:
    """The dotted module that a from-import names, seen from inside `package`."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a chain of attributes; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def names_of(node: ast.stmt, decide: Decide) -> Names:
    """What a module-level statement needs; an untaken branch and an annotation need nothing at run time."""
    parts = [child for part in _annotation_parts(node) for child in ast.walk(part)]
    apart = {id(child) for child in parts}
    whole = frozenset(_loaded(child for child in ast.walk(node) if id(child) not in apart))
    bare = _Bare(decide).visit(pickle.loads(pickle.dumps(node)))  # noqa: S301 - our own; a tenth of copy.deepcopy's time
    module = ast.fix_missing_locations(ast.Module(body=[bare], type_ignores=[]))
    table = symtable.symtable(ast.unparse(module), "<slice>", "exec")
    runtime = frozenset(_globals_used(table))
    chains = frozenset(name for child in ast.walk(bare) if isinstance(child, ast.Attribute) and (name := dotted(child)))
    lazy, certain = frozenset(_lazy(bare)), frozenset(_certain(bare))
    return Names(runtime, frozenset(_loaded(parts)), whole - runtime, chains, lazy, certain)


def _annotation_parts(node: ast.AST) -> Iterator[ast.expr]:
    for child in ast.walk(node):
        match child:
            case ast.arg(annotation=annotation) if annotation is not None:
                yield annotation
            case ast.FunctionDef(returns=returns) | ast.AsyncFunctionDef(returns=returns) if returns is not None:
                yield returns
            case ast.AnnAssign(annotation=annotation):
                yield annotation
            case _:
                pass


def _loaded(nodes: Iterable[ast.AST]) -> Iterator[str]:
    return (child.id for child in nodes if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load))


def _globals_used(table: symtable.SymbolTable) -> Iterator[str]:
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (top or symbol.is_global()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _globals_used(child)


def _lazy(node: ast.stmt) -> Iterator[str]:
    for function in ast.walk(node):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for child in ast.walk(function):
                match child:
                    case ast.ImportFrom(module=str(module), names=names, level=0):
                        yield from (f"{module}.{alias.name}" for alias in names)
                    case ast.Import(names=names):
                        yield from (alias.name for alias in names)
                    case _:
                        pass


def _certain(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """From-imports alone: what `import a.b` binds is a package."""
    for child in node.body if isinstance(node, ast.FunctionDef) else ():
        match child:
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from ((f"{module}.{alias.name}", alias.asname or alias.name) for alias in names)
            case _:
                pass


class _Bare(ast.NodeTransformer):
    """Drops annotations, and the branches whose test is known."""

    def __init__(self, decide: Decide) -> None:
        self.decide = decide

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        value = node.value if node.value is not None else ast.Constant(None)
        return self.generic_visit(ast.Assign(targets=[node.target], value=value, lineno=node.lineno))

    def visit_If(self, node: ast.If) -> ast.AST:
        match self.decide(node.test):
            case True:
                node.orelse = []
            case False:
                node.body = [ast.Pass()]
            case None:
                pass
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        match self.decide(node.test):
            case True:
                node.orelse = ast.Constant(None)
            case False:
                node.body = ast.Constant(None)
            case None:
                pass
        return self.generic_visit(node)
