"""What a followed program's names can hold besides plain Python values and torch's own."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Value = Any
"""Anything a followed program can hold."""

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

RAISED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    LookupError,
    MemoryError,
    NameError,
    NotImplementedError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)
"""What torch and Python's own functions raise on arguments they do not take."""


@dataclass(frozen=True)
class Unknown:
    """A value that cannot be told without running the program, with the first reason for it."""

    reason: str


@dataclass(eq=False)
class Scope:
    """The names of a function's call, of a class body or of a module; `outer` is where else to look."""

    module: Module
    names: dict[str, Value] = field(default_factory=dict)
    outer: Scope | None = None


@dataclass(eq=False)
class Module:
    """A file of the tree. Its body is followed when one of its names is first asked for."""

    name: str
    path: str
    package: str
    body: list[ast.stmt]
    scope: Scope = field(init=False)
    followed: bool = False

    def __post_init__(self) -> None:
        self.scope = Scope(self)

    @property
    def is_test(self) -> bool:
        """Whether it is a file of tests or of benchmarks."""
        return any(part.startswith(("test", "bench")) for part in self.path.split("/"))


@dataclass(eq=False)
class Function:
    """A function of the tree; calling it follows its body. `bound` is the object that it is a method of."""

    node: FunctionNode
    scope: Scope
    qualname: str
    defaults: list[Value]
    keyword_defaults: list[Value]
    call: Callable[[Function, list[Value], dict[str, Value]], Value]
    bound: tuple[Value, ...] = ()
    kind: str = ""
    """"property", "staticmethod", "classmethod", "contextmanager" or empty."""

    @property
    def id(self) -> str:
        return f"{self.scope.module.path}::{self.qualname}"

    def __call__(self, *arguments: Value, **named: Value) -> Value:
        return self.call(self, list(arguments), named)

    def parameters(self) -> list[str]:
        """Names of all but the starred parameters, in order."""
        arguments = self.node.args
        return [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


@dataclass(eq=False)
class Kernel:
    """A jit function of the tree."""

    function: Function


@dataclass(eq=False)
class Class:
    """A class of the tree; `names` is its body's scope."""

    name: str
    bases: list[Value]
    scope: Scope
    dataclass: bool
    make: Callable[[Class, list[Value], dict[str, Value]], Value]
    fields: dict[str, Value] = field(default_factory=dict)
    """Annotated names in order, with their defaults (Unknown where there is none)."""

    def __call__(self, *arguments: Value, **named: Value) -> Value:
        return self.make(self, list(arguments), named)

    def find(self, name: str) -> Value:
        """The attribute as the class or the nearest base defines it; KeyError where none does."""
        if name in self.scope.names:
            return self.scope.names[name]
        for base in self.bases:
            if isinstance(base, Class):
                try:
                    return base.find(name)
                except KeyError:
                    continue
        raise KeyError(name)


@dataclass(eq=False)
class Instance:
    """An object of a class of the tree, or (`of` is None) a bag of attributes."""

    of: Class | None
    attributes: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Named:
    """Something outside the tree, by its dotted name."""

    name: str


@dataclass(frozen=True)
class Imported:
    """What an import binds, looked up when it is used."""

    target: str


@dataclass(frozen=True)
class Parameters:
    """One `pytest.param(...)`."""

    values: tuple[Value, ...]


class Ended(Exception):
    """The followed program raised, skipped, or went on for too long."""


class Left(Exception):
    """A body was left before its end."""


class Returned(Left):
    """`return`."""

    def __init__(self, value: Value) -> None:
        self.value = value


class Broke(Left):
    """`break`."""


class Continued(Left):
    """`continue`."""


def unknown_in(values: object, depth: int = 3) -> Unknown | None:
    """The first unknown among values or what they hold."""
    match values:
        case Unknown():
            return values
        case list() | tuple() | set() if depth:
            return next((found for one in values if (found := unknown_in(one, depth - 1))), None)
        case dict() if depth:
            return unknown_in(list(values.values()), depth - 1)
        case _:
            return None


def blur(node: ast.AST, scope: Scope, reason: str) -> None:
    """Whatever the statement may bind is unknown from here on."""
    for child in ast.walk(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            scope.names[child.id] = Unknown(reason)
