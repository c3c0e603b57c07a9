"""Follows statements: one path through each, and no path where a test is not known."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import torch

from . import tensors
from .calling import Calls
from .expressions import MOST_STEPS, OPERATORS
from .values import (
    Broke,
    Class,
    Continued,
    Ended,
    Function,
    Imported,
    Instance,
    Kernel,
    Left,
    Named,
    Returned,
    Scope,
    Unknown,
    Value,
    blur,
)

MOST_TURNS = 512
"""Turns of one loop."""

EXIT_CALLS = frozenset({"skip", "skipTest", "fail", "xfail", "exit"})
IN_PLACE: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.iadd,
    ast.Sub: operator.isub,
    ast.Mult: operator.imul,
    ast.Div: operator.itruediv,
}
JIT = frozenset({"jit", "triton_jit", "gluon_jit"})


class Program(Calls):
    """One run, statements included."""

    entering: Callable[[Value], None] | None = None
    """What to do at the next `yield`, where a context manager of the tree is being entered."""

    def statement(self, node: ast.stmt, scope: Scope) -> None:
        self.steps += 1
        how = _STATEMENTS.get(type(node))
        if how is not None:
            how(self, node, scope)

    def at_expression(self, node: ast.Expr, scope: Scope) -> None:
        if isinstance(node.value, ast.Yield):
            self._yielded(node.value, scope)
        else:
            self.value(node.value, scope)

    def _yielded(self, node: ast.Yield, scope: Scope) -> None:
        value = self.value(node.value, scope)
        scope.names.setdefault("*yielded", value)
        if (inside := self.entering) is not None:
            self.entering = None
            inside(value)

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

    def at_if(self, node: ast.If, scope: Scope) -> None:
        known = self.truth(self.value(node.test, scope))
        if known is None:
            if _exits(node.body):
                known = False
            elif node.orelse and _exits(node.orelse):
                known = True
        if known is None:
            blur(node, scope, f"either side of: {ast.unparse(node.test)[:60]}")
        else:
            self.body(node.body if known else node.orelse, scope)

    def at_for(self, node: ast.For, scope: Scope) -> None:
        source = self.value(node.iter, scope)
        if isinstance(source, (Unknown, Named)):
            blur(node, scope, source.reason if isinstance(source, Unknown) else f"items of {source.name}")
            return
        for turn, item in enumerate(self.items(source)):
            if turn >= MOST_TURNS:
                blur(node, scope, "a long loop")
                return
            self.assign(node.target, item, scope)
            try:
                self.body(node.body, scope)
            except Broke:
                return
            except Continued:
                continue
        self.body(node.orelse, scope)

    def at_while(self, node: ast.While, scope: Scope) -> None:
        for _ in range(MOST_TURNS):
            known = self.truth(self.value(node.test, scope))
            if known is None:
                blur(node, scope, f"how long: {ast.unparse(node.test)[:60]}")
            if not known:
                return
            try:
                self.body(node.body, scope)
            except Broke:
                return
            except Continued:
                continue
        blur(node, scope, "a long loop")

    def at_with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> None:
        if not any("raises" in ast.unparse(one.context_expr) for one in node.items):
            self._within(node.items, node.body, scope)

    def _within(self, items: list[ast.withitem], body: list[ast.stmt], scope: Scope) -> None:
        if not items:
            self.body(body, scope)
            return
        first, *rest = items
        left: list[Left] = []

        def inside(entered: Value) -> None:
            if first.optional_vars is not None:
                self.assign(first.optional_vars, entered, scope)
            try:
                self._within(rest, body, scope)
            except Left as how:
                left.append(how)

        outer, self.entering = self.entering, None
        try:
            manager = self._manager(first.context_expr, scope)
            if manager is None:
                inside(self.value(first.context_expr, scope))
            else:
                self.entering = inside
                self.follow(*manager)
                if self.entering is not None:
                    inside(Unknown("a context that is never entered"))
        finally:
            self.entering = outer
        if left:
            raise left[0]

    def _manager(self, node: ast.expr, scope: Scope) -> tuple[Function, list[Value], dict[str, Value]] | None:
        """A call of a context manager that is written as a generator: its function and arguments."""
        if not isinstance(node, ast.Call):
            return None
        function = self.value(node.func, scope)
        if not isinstance(function, Function) or function.kind != "contextmanager":
            return None
        return function, *self.arguments(node, scope)

    def at_try(self, node: ast.Try, scope: Scope) -> None:
        try:
            self.body(node.body, scope)
        except Ended:
            if not node.handlers or self.steps > MOST_STEPS:
                raise
            self.body(node.handlers[0].body, scope)
        else:
            self.body(node.orelse, scope)
        finally:
            self.body(node.finalbody, scope)

    def at_return(self, node: ast.Return, scope: Scope) -> None:
        raise Returned(self.value(node.value, scope))

    def at_raise(self, node: ast.Raise, scope: Scope) -> None:
        del scope
        raise Ended(ast.unparse(node)[:80])

    def at_global(self, node: ast.Global, scope: Scope) -> None:
        scope.names["*global"] = {*scope.names.get("*global", ()), *node.names}

    def at_assert(self, node: ast.Assert, scope: Scope) -> None:
        # what a test asserts is of results, which nobody has computed
        if self.truth(self.value(node.test, scope)) is False and not scope.module.is_test:
            raise Ended(ast.unparse(node)[:80])

    def at_break(self, _node: ast.Break, _scope: Scope) -> None:
        raise Broke

    def at_continue(self, _node: ast.Continue, _scope: Scope) -> None:
        raise Continued


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


def _exits(body: list[ast.stmt]) -> bool:
    match body[-1] if body else None:
        case ast.Raise() | ast.Return() | ast.Continue() | ast.Break():
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name))):
            return name in EXIT_CALLS
        case _:
            return False


_STATEMENTS: dict[type[ast.stmt], Callable[[Program, Any, Scope], None]] = {
    ast.Expr: Program.at_expression,
    ast.Assign: Program.at_assigned,
    ast.AnnAssign: Program.at_annotated,
    ast.AugAssign: Program.at_changed,
    ast.FunctionDef: Program.at_defined,
    ast.AsyncFunctionDef: Program.at_defined,
    ast.ClassDef: Program.at_class,
    ast.Import: Program.at_import,
    ast.ImportFrom: Program.at_import_from,
    ast.If: Program.at_if,
    ast.For: Program.at_for,
    ast.While: Program.at_while,
    ast.With: Program.at_with,
    ast.AsyncWith: Program.at_with,
    ast.Try: Program.at_try,
    ast.Return: Program.at_return,
    ast.Raise: Program.at_raise,
    ast.Assert: Program.at_assert,
    ast.Global: Program.at_global,
    ast.Break: Program.at_break,
    ast.Continue: Program.at_continue,
}
