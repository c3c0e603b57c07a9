"""Follows calls, and notes those of chosen functions."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import torch

from . import outside, tensors
from .expressions import Expressions
from .names import bound_to
from .values import (
    RAISED,
    Class,
    Function,
    FunctionNode,
    Instance,
    Kernel,
    Module,
    Named,
    Returned,
    Scope,
    Unknown,
    Value,
)

MOST_DEPTH = 12


class Calls(Expressions):
    """What calls give back; those of chosen functions are noted on the way."""

    def at_call(self, node: ast.Call, scope: Scope) -> Value:
        if isinstance(node.func, ast.Name) and node.func.id in _SCOPED:
            return _SCOPED[node.func.id](self, node, scope)
        if isinstance(node.func, ast.Subscript):
            of = self.value(node.func.value, scope)
            if isinstance(of, Kernel):
                arguments, named = self.arguments(node, scope)
                return self.launch(of, self.value(node.func.slice, scope), arguments, named)
            function = self.item(of, self.value(node.func.slice, scope))
        else:
            function = self.value(node.func, scope)
        arguments, named = self.arguments(node, scope)
        return self.call(function, arguments, named)

    def arguments(self, node: ast.Call, scope: Scope) -> tuple[list[Value], dict[str, Value]]:
        positional: list[Value] = []
        for one in node.args:
            if isinstance(one, ast.Starred):
                starred = self.value(one.value, scope)
                positional.extend([starred] if isinstance(starred, Unknown) else self.items(starred))
            else:
                positional.append(self.value(one, scope))
        named: dict[str, Value] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value, scope)
            if keyword.arg is not None:
                named[keyword.arg] = value
            elif isinstance(value, dict):
                named.update(value)
        return positional, named

    def call(self, function: Value, arguments: list[Value], named: dict[str, Value]) -> Value:
        """What calling gives back."""
        match function:
            case Unknown():
                outside.call_back([*arguments, *named.values()])
                return function
            case Function():
                return self.follow(function, arguments, named)
            case bool():
                return function  # a platform query whose answer stands for it, called or not
            case Class():
                return self.construct(function, arguments, named)
            case Named():
                return self.answer(function.name, arguments, named)
            case Instance():
                return self.call(self._of_called(function), arguments, named)
            case Kernel() | Module():
                return Unknown(f"calling {type(function).__name__.lower()}")
            case _:
                if not callable(function):
                    return Unknown("calling a value")
                if any(isinstance(one, torch.Tensor) for one in arguments) and function in (
                    int,
                    float,
                    bool,
                    list,
                    len,
                ):
                    return (
                        tensors.apply(function, arguments, named) if function is not list else self.items(arguments[0])
                    )
                return self.plainly(function, arguments, named)

    def _of_called(self, function: Instance) -> Value:
        """The method that calling an object calls: its own, or as torch's modules have it `forward`."""
        own = self.attribute(function, "__call__")
        return self.attribute(function, "forward") if isinstance(own, Unknown) else own

    def plainly(self, function: Callable[..., Any], arguments: list[Value], named: dict[str, Value]) -> Value:
        """A method of a plain value, which may hold unknown ones, or a function of Python's."""
        if getattr(function, "__name__", "") in ("append", "extend", "insert", "update", "add", "setdefault", "get"):
            try:
                return function(*arguments, **named)
            except RAISED as error:
                return Unknown(str(error))
        return outside.plain(function, arguments, named)

    def answer(self, name: str, arguments: list[Value], named: dict[str, Value]) -> Value:
        """A call of something outside the tree."""
        if f"{name}()" in self.answers:
            return self.answers[f"{name}()"]
        return outside.call(name, arguments, named)

    def launch(self, kernel: Kernel, grid: Value, arguments: list[Value], named: dict[str, Value]) -> Value:
        """`kernel[grid](...)`: noted with the kernel's own parameters, the grid and the options of the launch."""
        function = kernel.function
        bound = self.bind(function, arguments, named, partial=True)
        if isinstance(grid, Function):
            grid = self.follow(grid, [bound], {})
        options = {name: value for name, value in named.items() if name in ("num_warps", "num_stages")}
        self.note(function.id, {**bound, "grid": grid, **options})
        return None

    def bind(
        self, function: Function, arguments: list[Value], named: dict[str, Value], *, partial: bool = False
    ) -> dict[str, Value]:
        """Every parameter's value by name; what a caller left out is unknown, or with `partial` absent."""
        spec = function.node.args
        names = [one.arg for one in (*spec.posonlyargs, *spec.args)]
        given = [*function.bound, *arguments]
        bound: dict[str, Value] = dict(zip(names, given, strict=False))
        if spec.vararg:
            bound[spec.vararg.arg] = tuple(given[len(names) :])
        defaults = dict(zip(names[len(names) - len(function.defaults) :], function.defaults, strict=True))
        for one, default in zip(spec.kwonlyargs, function.keyword_defaults, strict=True):
            defaults[one.arg] = default
            names.append(one.arg)
        extra: dict[str, Value] = {}
        for name, value in named.items():
            (bound if name in names else extra)[name] = value
        if spec.kwarg:
            bound[spec.kwarg.arg] = extra
        for name in names:
            if name not in bound and not (partial and isinstance(defaults.get(name, _MISSING), Unknown)):
                value = defaults.get(name, _MISSING)
                if not partial or value is not _MISSING:
                    bound[name] = value
        return bound

    def follow(self, function: Function, arguments: list[Value], named: dict[str, Value]) -> Value:
        """Follow a function's body, with its parameters bound."""
        bound = self.bind(function, arguments, named)
        if function.id in self.launchers:
            self.note(function.id, {name: bound[name] for name in function.parameters() if name in bound})
        if self.depth >= MOST_DEPTH:
            return Unknown("calls too deep")
        scope = Scope(function.scope.module, bound, function.scope)
        self.depth += 1
        try:
            if isinstance(function.node, ast.Lambda):
                return self.value(function.node.body, scope)
            self.body(function.node.body, scope)
        except Returned as result:
            return result.value
        finally:
            self.depth -= 1
        return iter(scope.names["*yielded"]) if "*yielded" in scope.names else None

    def construct(self, of: Class, arguments: list[Value], named: dict[str, Value]) -> Value:
        """An object of a class of the tree."""
        made = Instance(of)
        try:
            start = of.find("__init__")
        except KeyError:
            start = None
        if isinstance(start, Function):
            self.call(bound_to(start, of, made), arguments, named)
            return made
        fields = _fields(of)
        made.attributes.update(fields)
        made.attributes.update(zip(fields, arguments, strict=False))
        made.attributes.update(named)
        completed = self.attribute(made, "__post_init__")
        if isinstance(completed, Function):
            self.call(completed, [], {})
        return made

    def function(self, node: FunctionNode, scope: Scope, qualname: str) -> Function:
        """The function that a definition makes."""
        defaults = [self.value(one, scope) for one in node.args.defaults]
        keyword = [_MISSING if one is None else self.value(one, scope) for one in node.args.kw_defaults]
        return Function(node, scope, qualname, defaults, keyword, self.follow)

    def body(self, nodes: list[ast.stmt], scope: Scope) -> None:
        """One statement after the other."""
        for node in nodes:
            self.statement(node, scope)


_MISSING = Unknown("an argument that is not given")


def _fields(of: Class) -> dict[str, Value]:
    inherited: dict[str, Value] = {}
    for base in reversed(of.bases):
        if isinstance(base, Class):
            inherited.update(_fields(base))
    return {**inherited, **of.fields}


def _isinstance(self: Calls, node: ast.Call, scope: Scope) -> Value:
    value, kinds = (self.value(one, scope) for one in node.args[:2])
    if isinstance(value, Unknown):
        return value
    if isinstance(kinds, Named) and kinds.name == "torch.Tensor":
        return isinstance(value, torch.Tensor)
    if isinstance(value, Instance) and isinstance(kinds, Class):
        return value.of is kinds
    try:
        return isinstance(value, kinds)
    except TypeError:
        return Unknown("isinstance of an unknown type")


def _getattr(self: Calls, node: ast.Call, scope: Scope) -> Value:
    of, name, *rest = (self.value(one, scope) for one in node.args)
    if not isinstance(name, str):
        return Unknown("getattr of an unknown name")
    found = self.attribute(of, name)
    return rest[0] if rest and isinstance(found, Unknown) and isinstance(of, Instance) else found


def _setattr(self: Calls, node: ast.Call, scope: Scope) -> Value:
    of, name, value = (self.value(one, scope) for one in node.args)
    if isinstance(of, Instance) and isinstance(name, str):
        of.attributes[name] = value
    return None


def _nothing(self: Calls, node: ast.Call, scope: Scope) -> Value:
    for one in node.args:
        self.value(one, scope)
    return None


def _super(self: Calls, node: ast.Call, scope: Scope) -> Value:
    del self, node, scope
    return Instance(None, {"__init__": lambda *_arguments, **_named: None})


_SCOPED: dict[str, Callable[[Calls, ast.Call, Scope], Value]] = {
    "isinstance": _isinstance,
    "getattr": _getattr,
    "setattr": _setattr,
    "print": _nothing,
    "super": _super,
}
