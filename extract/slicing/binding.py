"""What a statement binds: names of its own, names that it imports and under which conditions, and what it changes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from extract.names import absolute, dotted

Condition = tuple[ast.expr, bool]
"""A test and what it must come out as for a statement to run."""

CATCHES_IMPORT = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


@dataclass(frozen=True)
class Imported:
    """One name that an import binds. `guarded` when a failing import is caught."""

    target: str
    text: str
    whole: bool = False
    """`import a.b`: binds `a`."""
    conditions: tuple[Condition, ...] = ()
    guarded: bool = False


def bound_names(node: ast.stmt) -> Iterator[str]:
    """Names that a module-level statement binds other than by importing."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            for target in targets:
                yield from _targets(target)
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            yield from _targets(target)
        case ast.For(target=target):
            yield from _targets(target)
            yield from _bound_below(node)
        case ast.If() | ast.Try() | ast.With() | ast.While():
            yield from _bound_below(node)
        case _:
            pass


def changed_names(node: ast.stmt) -> Iterator[str]:
    """What `TABLE[key] = value` and `function.attribute = value` change."""
    for target in node.targets if isinstance(node, ast.Assign) else ():
        if isinstance(target, (ast.Attribute, ast.Subscript)) and isinstance(target.value, ast.Name):
            yield target.value.id


def _bound_below(node: ast.stmt) -> Iterator[str]:
    for body in bodies(node):
        for child in body:
            yield from bound_names(child)


def bodies(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a compound statement."""
    for name in ("body", "orelse", "finalbody"):
        yield getattr(node, name, [])
    for handler in getattr(node, "handlers", ()):
        yield handler.body


def _targets(target: ast.expr) -> Iterator[str]:
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=items) | ast.List(elts=items):
            for item in items:
                yield from _targets(item)
        case ast.Starred(value=value):
            yield from _targets(value)
        case _:
            pass


def imports_below(
    body: list[ast.stmt], package: str, conditions: tuple[Condition, ...] = (), *, guarded: bool = False
) -> Iterator[tuple[str, Imported]]:
    """Names that these statements import when they run, "*" where it is all of a module; not those of functions."""
    for node in body:
        match node:
            case ast.Import() | ast.ImportFrom():
                yield from _names_imported(node, package, conditions, guarded=guarded)
            case ast.If(test=test):
                yield from imports_below(node.body, package, (*conditions, (test, True)), guarded=guarded)
                yield from imports_below(node.orelse, package, (*conditions, (test, False)), guarded=guarded)
            case ast.Try():
                caught = guarded or any(_catches_import(handler) for handler in node.handlers)
                yield from imports_below(node.body, package, conditions, guarded=caught)
                for handler in node.handlers:
                    yield from imports_below(handler.body, package, conditions, guarded=guarded)
                yield from imports_below([*node.orelse, *node.finalbody], package, conditions, guarded=guarded)
            case ast.With():
                yield from imports_below(node.body, package, conditions, guarded=guarded)
            case _:
                pass


def _catches_import(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or dotted(kind) in CATCHES_IMPORT for kind in kinds)


def _names_imported(
    node: ast.Import | ast.ImportFrom, package: str, conditions: tuple[Condition, ...], *, guarded: bool
) -> Iterator[tuple[str, Imported]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            text = f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
            whole = alias.asname is None
            target = alias.name.partition(".")[0] if whole else alias.name
            yield alias.asname or target, Imported(target, text, whole, conditions, guarded)
        return
    origin = absolute(package, node)
    for alias in node.names:
        text = f"from {origin} import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
        target = origin if alias.name == "*" else f"{origin}.{alias.name}"
        yield (
            ("*" if alias.name == "*" else alias.asname or alias.name),
            Imported(target, text, False, conditions, guarded),
        )
