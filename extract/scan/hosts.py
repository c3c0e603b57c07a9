"""What host code does with kernels, read from its syntax tree: where a pattern cannot tell, because names are local."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from extract.names import dotted
from extract.scan.expressions import references

LAUNCH_METHODS = frozenset({"run", "warmup"})
LEAVES = frozenset({ast.Constant, ast.Load, ast.Store, ast.Pass, ast.alias})
Function = ast.FunctionDef | ast.AsyncFunctionDef


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


def read_host(node: ast.AST) -> HostReading:
    """Everything a function or a statement does, with what its local names stand for."""
    found = HostReading()
    stack: list[ast.AST] = [node]
    while stack:
        child = stack.pop()
        match child:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    found.bind(dotted(target), value)
            case ast.AnnAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
                found.bind(dotted(target), value)
            case ast.For(target=target, iter=value):
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        found.bind(name.id, value)
            case ast.Return(value=value):
                found.returns.update(references(value))
            case ast.Call():
                _call(child, found)
            case _:
                pass
        stack.extend(_children(child))
    local = {name: values for name, values in found.bound.items() if "." not in name}
    for names in (found.launches, found.passed, found.calls, found.returns):
        names.update(_expand(names, local))
    return found


def _call(node: ast.Call, found: HostReading) -> None:
    match node.func:
        case ast.Subscript(value=value):
            found.launches.update(references(value))
        case ast.Attribute(value=value, attr=attr) if attr in LAUNCH_METHODS:
            found.launches.update(references(value))
    if name := dotted(node.func):
        found.calls.add(name)
    for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
        if name := dotted(argument):
            found.passed.add(name)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """As ast.iter_child_nodes, at a third of its time; names and constants have none worth a visit."""
    for value in vars(node).values():
        if type(value) is list:
            for item in value:
                if isinstance(item, ast.AST) and type(item) not in LEAVES:
                    yield item
        elif isinstance(value, ast.AST) and type(value) not in LEAVES:
            yield value


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
