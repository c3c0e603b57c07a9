"""pytest's `monkeypatch` on the modules, classes and objects of a followed program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import outside
from .statements import Program
from .values import Class, Instance, Module, Value

_ABSENT = object()


class Monkeypatch:
    """Changes names for one run; `undo` puts back what was there, since modules are shared by all runs."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._undone: list[Callable[[], None]] = []

    def setattr(self, target: Value, name: Value, value: Value = _ABSENT, raising: bool = True) -> None:
        """`setattr(target, "name", value)` or `setattr("package.module.name", value)`."""
        del raising
        if isinstance(target, str):
            owner, _, attribute = target.rpartition(".")
            self._set(self._names(self._program.library.module(owner)), attribute, name)
        else:
            self._set(self._names(target), name, value)

    def setitem(self, mapping: Value, key: Value, value: Value) -> None:
        """`mapping[key] = value`."""
        self._set(mapping if isinstance(mapping, dict) else None, key, value)

    def setenv(self, name: str, value: Value, prepend: Value = None) -> None:
        """An environment setting, as text."""
        del prepend
        self._set(outside.ENVIRONMENT, name, str(value))

    def delenv(self, name: str, raising: bool = True) -> None:
        """No such setting."""
        del raising
        if name in outside.ENVIRONMENT:
            self._set(outside.ENVIRONMENT, name, None)

    def context(self) -> Monkeypatch:
        """Itself: what is changed inside stays until the run ends."""
        return self

    def undo(self) -> None:
        """Put back what was there, the last change first."""
        while self._undone:
            self._undone.pop()()

    def _names(self, target: Value) -> dict[Any, Value] | None:
        match target:
            case Module():
                return self._program.module_scope(target).names
            case Class():
                return target.scope.names
            case Instance():
                return target.attributes
            case _:
                return None

    def _set(self, names: dict[Any, Value] | None, name: Value, value: Value) -> None:
        if names is None:
            return
        before = names.get(name, _ABSENT)
        self._undone.append(lambda: names.pop(name, None) if before is _ABSENT else names.update({name: before}))
        names[name] = value
