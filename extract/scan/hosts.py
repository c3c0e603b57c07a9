"""What host code does with kernels, read from its syntax tree: where a pattern cannot tell, because names are local."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import cast

from extract.names import dotted
from extract.scan.expressions import references

LAUNCH_METHODS = frozenset({"run", "warmup"})
LEAVES = frozenset(
    {"arg", "attr", "asname", "conversion", "ctx", "id", "is_async", "kind", "kwd_attrs", "kwd_patterns", "level"}
    | {"lineno", "module", "name", "names", "op", "ops", "rest", "simple", "tag", "type_comment", "type_ignores"}
)
"""Fields of syntax trees that hold text, marks, or names alone."""


@dataclass(slots=True)
class HostReading:
    """References that a piece of host code launches, hands on, calls, returns, and binds to names."""

    launches: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    returns: set[str] = field(default_factory=set)
    bound: dict[str, set[str]] = field(default_factory=dict)

    def bind(self, name: str, value: ast.expr | None) -> None:
        if name:
            self.bound.setdefault(name, set()).update(references(value))


def read_host(node: ast.AST, is_kernel: Callable[[ast.FunctionDef], bool] = lambda _: False) -> HostReading:
    """Everything a function or a statement does, with what its local names stand for; not what a kernel in it does."""
    found = HostReading()
    stack: list[ast.AST] = [node]
    while stack:
        child = stack.pop()
        kind = type(child)
        if kind is ast.FunctionDef and is_kernel(cast("ast.FunctionDef", child)):
            continue
        if read := READ.get(kind):
            read(child, found)
        for name in _inner_fields(kind):
            value = getattr(child, name)
            if type(value) is list:
                stack += value
            elif value is not None:
                stack.append(value)
    local = {name: values for name, values in found.bound.items() if "." not in name}
    for names in (found.launches, found.passed, found.calls, found.returns):
        names.update(_expand(names, local))
    return found


def bound_by_partial(node: ast.AST) -> Iterator[tuple[str, str, str]]:
    """Names that `functools.partial(function, parameter=name)` gives a function, with those of both."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and call.args and dotted(call.func) in ("partial", "functools.partial"):
            for keyword in call.keywords:
                if keyword.arg and (function := dotted(call.args[0])) and (name := dotted(keyword.value)):
                    yield function, keyword.arg, name


def _inner_fields(kind: type) -> tuple[str, ...]:
    """The fields of a kind of node that hold nodes worth a visit; names, constants and what is no node have none."""
    if kind not in _INNER:
        fields = getattr(kind, "_fields", ()) if kind is not ast.Constant else ()
        _INNER[kind] = tuple(name for name in fields if name not in LEAVES)
    return _INNER[kind]


_INNER: dict[type, tuple[str, ...]] = {}


def _assign(node: ast.Assign, found: HostReading) -> None:
    for target in node.targets:
        found.bind(dotted(target), node.value)


def _bind(node: ast.AnnAssign | ast.NamedExpr, found: HostReading) -> None:
    found.bind(dotted(node.target), node.value)


def _for(node: ast.For, found: HostReading) -> None:
    for name in ast.walk(node.target):
        if isinstance(name, ast.Name):
            found.bind(name.id, node.iter)


def _return(node: ast.Return, found: HostReading) -> None:
    found.returns.update(references(node.value))


def _call(node: ast.Call, found: HostReading) -> None:
    match node.func:
        case ast.Subscript(value=value):
            found.launches.update(references(value))
        case ast.Call(func=func) if name := dotted(func):
            found.calls.add(f"{name}()")
        case ast.Attribute(value=value, attr=attr) if attr in LAUNCH_METHODS:
            found.launches.update(references(value))
    if name := dotted(node.func):
        found.calls.add(name)
    for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
        if name := dotted(argument):
            found.passed.add(name)


READ: dict[type[ast.AST], Callable[..., None]] = {
    ast.Assign: _assign,
    ast.AnnAssign: _bind,
    ast.NamedExpr: _bind,
    ast.For: _for,
    ast.Return: _return,
    ast.Call: _call,
}


def _expand(names: Iterable[str], local: dict[str, set[str]]) -> set[str]:
    """What the local variables among some names were assigned."""
    found: set[str] = set()
    pending, seen = list(names), set[str]()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        bare = name.removesuffix("()")
        root, dot, rest = bare.partition(".")
        if bare in local:
            pending.extend(local[bare])
        elif dot and root in local:  # one step only: `x = x.next` has no end
            found.update(f"{value}{dot}{rest}" for value in local[root] if "." not in value)
        found.add(name)
    return found
