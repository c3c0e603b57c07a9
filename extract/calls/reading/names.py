"""What the names of a followed program stand for."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping

import torch

from . import outside, tensors
from .library import Library
from .values import (
    Broke,
    Class,
    Continued,
    Ended,
    Function,
    FunctionNode,
    Imported,
    Instance,
    Kernel,
    Module,
    Named,
    Returned,
    Scope,
    Unknown,
    Value,
    blur,
)

Note = Callable[[str, dict[str, Value]], None]
"""Told of each call of a launcher or kernel: its id, and every parameter's value by name."""


MODULE_METHODS = frozenset({"bfloat16", "cuda", "eval", "float", "half", "requires_grad_", "to", "train"})
"""Methods of torch.nn.Module that give the module itself, as far as shapes can tell."""


class Names:
    """What names stand for, in a module's scope and beyond, and the attributes of what they stand for."""

    def __init__(self, library: Library, launchers: frozenset[str], answers: Mapping[str, bool], note: Note) -> None:
        self.library, self.launchers, self.answers, self.note = library, launchers, answers, note
        self.answered = {name.removesuffix("()").rpartition(".")[0] for name in answers} | set(answers)
        self.steps = self.depth = 0
        self.deadline = math.inf
        """When this run has to end, on the clock of `time.process_time`."""

    def module_scope(self, module: Module) -> Scope:
        """The module's names, its body followed first."""
        if not module.followed:
            module.followed = True
            steps, self.steps = self.steps, 0
            for node in module.body:
                try:
                    self.statement(node, module.scope)
                except (Ended, Returned, Broke, Continued):
                    blur(node, module.scope, "its module ends early")
            self.steps = steps
        return module.scope

    def name(self, name: str, scope: Scope) -> Value:
        within: Scope | None = scope
        while within is not None:
            if name in within.names:
                return self.resolved(within.names[name])
            within = within.outer
        names = self.module_scope(scope.module).names
        if name in names:
            return self.resolved(names[name])
        for star in [value for key, value in list(names.items()) if key.startswith("*")]:
            found = self.resolved(Imported(f"{star.target}.{name}"))
            if not isinstance(found, (Unknown, Named)):
                return found
        return outside.builtin(name)

    def resolved(self, value: Value, hops: int = 0) -> Value:
        """What an import binds: a module or a name of the tree, else something outside it by its name."""
        if not isinstance(value, Imported) or hops > 8:
            return value
        if value.target in outside.ALIASES:
            return self._named(outside.ALIASES[value.target])
        if (module := self.library.module(value.target)) is not None:
            return module
        owner, _, name = value.target.rpartition(".")
        if value.target in self.answered or value.target in outside.SPECIAL or outside.PARALLEL.fullmatch(value.target):
            return self._named(value.target)
        if owner and (home := self.library.module(owner)) is not None:
            return self.resolved(self.of_module(home, name), hops + 1)
        return self._named(value.target)

    def of_module(self, module: Module, name: str) -> Value:
        names = self.module_scope(module).names
        if name in names:
            return names[name]
        if (inner := self.library.module(f"{module.name}.{name}")) is not None:
            return inner
        for key, star in list(names.items()):
            if key.startswith("*") and (home := self.library.module(star.target)) not in (None, module):
                assert home is not None
                if name in self.module_scope(home).names:
                    return home.scope.names[name]
        made = names.get("__getattr__")
        return made(name) if isinstance(made, Function) else Unknown(f"{module.name} binds no {name}")

    def attribute(self, of: Value, name: str) -> Value:
        """`of.name`."""
        match of:
            case Unknown():
                return of
            case Module():
                return self.resolved(self.of_module(of, name))
            case Named():
                return self._named(f"{of.name}.{name}")
            case Instance():
                return self._of_instance(of, name)
            case Class():
                try:
                    return bound_to(of.find(name), of, None)
                except KeyError:
                    return of.name if name == "__name__" else Unknown(f"{of.name} has no {name}")
            case torch.Tensor():
                return tensors.attribute(of, name)
            case Kernel() if name in ("fn", "run", "warmup"):
                return of if name == "fn" else Unknown(f"{name} of a kernel")
            case Function() | Kernel():
                return Unknown(f"{name} of a function")
            case _:
                try:
                    return Unknown(f"attribute {name}") if name.startswith("__") else getattr(of, name)
                except AttributeError:
                    return Unknown(f"{type(of).__name__} has no {name}")

    def _named(self, name: str) -> Value:
        if name in self.answers:
            return self.answers[name]
        root, _, rest = name.partition(".")
        if root == "numpy" and rest in outside.NUMPY:
            name = f"torch.{outside.NUMPY[rest]}"
        if name in outside.VALUES:
            return outside.VALUES[name]
        if name.startswith("torch.") and name.count(".") == 1:
            found = tensors.find(name)
            if isinstance(found, (torch.dtype, int, float)):
                return found
        if name.startswith("math.") and not callable(found := getattr(math, name[5:], print)):
            return found
        return Named(name)

    def _of_instance(self, of: Instance, name: str) -> Value:
        if name in of.attributes:
            return of.attributes[name]
        if of.of is None:
            return Unknown(f"attribute {name}")
        try:
            found = of.of.find(name)
        except KeyError:
            if name in MODULE_METHODS:
                return lambda *_arguments, **_named: of
            if name == "register_buffer":
                return lambda key, value, **_named: of.attributes.update({key: value})
            return Unknown(f"{of.of.name} sets no {name}")
        if isinstance(found, Function) and found.kind == "property":
            return self.call(bound_to(found, of.of, of), [], {})
        return bound_to(self.resolved(found), of.of, of)

    # Said by what follows expressions, calls and statements

    def value(self, node: ast.expr | None, scope: Scope) -> Value:
        raise NotImplementedError

    def call(self, function: Value, arguments: list[Value], named: dict[str, Value]) -> Value:
        raise NotImplementedError

    def function(self, node: FunctionNode, scope: Scope, qualname: str) -> Function:
        raise NotImplementedError

    def statement(self, node: ast.stmt, scope: Scope) -> None:
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Value, scope: Scope) -> None:
        raise NotImplementedError

    def at_call(self, node: ast.Call, scope: Scope) -> Value:
        raise NotImplementedError


def bound_to(found: Value, of: Class, instance: Instance | None) -> Value:
    if not isinstance(found, Function) or found.kind == "staticmethod" or found.bound:
        return found
    first = of if found.kind == "classmethod" else instance
    if first is None:
        return found
    return Function(
        found.node,
        found.scope,
        found.qualname,
        found.defaults,
        found.keyword_defaults,
        found.call,
        (first,),
        found.kind,
    )
