"""Follows what binds names: assignments, definitions and imports."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import torch

from . import tensors
from .calling import Calls
from .expressions import OPERATORS
from .values import Class, Imported, Instance, Kernel, Scope, Unknown, Value

IN_PLACE: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.iadd,
    ast.Sub: operator.isub,
    ast.Mult: operator.imul,
    ast.Div: operator.itruediv,
}
JIT = frozenset({"jit", "triton_jit", "gluon_jit"})


class Binding(Calls):
    """What statements bind."""

    def at_assigned(self, node: ast.Assign, scope: Scope) -> None:
        value = self.value(node.value, scope)
        for target in node.targets:
            self.assign(target, value, scope)

    def at_annotated(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self.assign(node.target, self.value(node.value, scope), scope)

    def at_changed(self, node: ast.AugAssign, scope: Scope) -> None:
        old: ast.expr = ast.copy_location(_as_load(node.target), node)
        before, change = self.value(old, scope), self.value(node.value, scope)
        if isinstance(before, torch.Tensor):
            in_place = self.operate(IN_PLACE.get(type(node.op), OPERATORS[type(node.op)]), before, change)
            self.assign(node.target, before if isinstance(in_place, Unknown) else in_place, scope)
        else:
            self.assign(node.target, self.operate(OPERATORS[type(node.op)], before, change), scope)

    def assign(self, target: ast.expr, value: Value, scope: Scope) -> None:
        match target:
            case ast.Name(id=name):
                home = scope.module.scope if name in scope.names.get("*global", ()) else scope
                home.names[name] = value
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                self._unpack(targets, value, scope)
            case ast.Attribute(value=of, attr=name):
                owner = self.value(of, scope)
                if isinstance(owner, Instance):
                    owner.attributes[name] = value
                elif isinstance(owner, Class):
                    owner.scope.names[name] = value
            case ast.Subscript(value=of, slice=index):
                owner, at = self.value(of, scope), self.value(index, scope)
                if isinstance(owner, torch.Tensor):
                    tensors.set_item(owner, at, value)
                elif isinstance(owner, (list, dict)) and not isinstance(at, Unknown):
                    try:
                        owner[at] = value
                    except (LookupError, TypeError, ValueError):
                        return
            case _:
                return

    def _unpack(self, targets: list[ast.expr], value: Value, scope: Scope) -> None:
        items = [] if isinstance(value, Unknown) else self.items(value)
        starred = next((i for i, one in enumerate(targets) if isinstance(one, ast.Starred)), None)
        if starred is not None and len(items) >= len(targets) - 1:
            star = targets[starred]
            assert isinstance(star, ast.Starred)
            tail = len(targets) - starred - 1
            middle = items[starred : len(items) - tail]
            targets = [*targets[:starred], star.value, *targets[starred + 1 :]]
            items = [*items[:starred], middle, *items[len(items) - tail :]]
        missing = value if isinstance(value, Unknown) else Unknown("unpacking something else")
        for i, target in enumerate(targets):
            self.assign(target, items[i] if len(items) == len(targets) else missing, scope)

    def at_defined(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        owner = scope.names.get("*class", "")
        function = self.function(node, _outside_class(scope), f"{owner}{node.name}")
        kind: Value = function
        for decorator in node.decorator_list:
            name = ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)
            last = name.rpartition(".")[2]
            if last in JIT:
                kind = Kernel(function)
            elif last in ("property", "staticmethod", "classmethod", "cached_property", "contextmanager"):
                function.kind = last.removeprefix("cached_")
        scope.names[node.name] = kind

    def at_class(self, node: ast.ClassDef, scope: Scope) -> None:
        inner = Scope(scope.module, {"*class": f"{scope.names.get('*class', '')}{node.name}."}, scope)
        decorated = any("dataclass" in ast.unparse(one) for one in node.decorator_list)
        made = Class(node.name, [self.value(base, scope) for base in node.bases], inner, decorated, self.construct)
        for child in node.body:
            self.statement(child, inner)
            match child:
                case ast.AnnAssign(target=ast.Name(id=name)):
                    made.fields[name] = inner.names.get(name, Unknown(f"{name} is not given"))
                case _:
                    pass
        scope.names[node.name] = made

    def at_import(self, node: ast.Import, scope: Scope) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            scope.names[name] = Imported(alias.name if alias.asname else name)

    def at_import_from(self, node: ast.ImportFrom, scope: Scope) -> None:
        parts = scope.module.package.split(".") if scope.module.package else []
        base = parts[: len(parts) - node.level + 1] if node.level else []
        origin = ".".join([*base, *([node.module] if node.module else [])])
        for alias in node.names:
            if alias.name == "*":
                scope.names[f"*{origin}"] = Imported(origin)
            else:
                scope.names[alias.asname or alias.name] = Imported(f"{origin}.{alias.name}")


def _as_load(target: ast.expr) -> ast.expr:
    match target:
        case ast.Name(id=name):
            return ast.Name(id=name, ctx=ast.Load())
        case ast.Attribute(value=value, attr=attr):
            return ast.Attribute(value=value, attr=attr, ctx=ast.Load())
        case ast.Subscript(value=value, slice=index):
            return ast.Subscript(value=value, slice=index, ctx=ast.Load())
        case _:
            return target


def _outside_class(scope: Scope) -> Scope:
    """A method does not see the names of its class's body."""
    while "*class" in scope.names and scope.outer is not None:
        scope = scope.outer
    return scope
