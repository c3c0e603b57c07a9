"""Follows statements: one path through each, and no path where a test is not known."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from .binding import Binding
from .expressions import MOST_STEPS
from .values import (
    Broke,
    Continued,
    Ended,
    Function,
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


class Program(Binding):
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
        elif isinstance(node.value, ast.YieldFrom):
            scope.names.setdefault("*yielded", []).extend(self.items(self.value(node.value.value, scope)))
        else:
            self.value(node.value, scope)

    def _yielded(self, node: ast.Yield, scope: Scope) -> None:
        value = self.value(node.value, scope)
        scope.names.setdefault("*yielded", []).append(value)
        if (inside := self.entering) is not None:
            self.entering = None
            inside(value)

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
