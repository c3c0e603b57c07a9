"""What a slice is made of, and in which order it can be executed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from extract.slicing.modules import Module, Statement
from extract.slicing.shims import Shim
from kmaint.records.harness import Stub


class StoppedError(Exception):
    """A kernel that cannot stand alone yet; the text is one line that names the symbol in the way."""


@dataclass(frozen=True)
class Piece:
    """A statement of a module that goes into the slice."""

    module: Module
    statement: Statement


@dataclass(frozen=True)
class KeptImport:
    """An import that stays: `target` is what it names, `text` the line."""

    target: str
    text: str


@dataclass(frozen=True)
class ModuleReference:
    """A framework module used as a value: `consts.LIMIT`."""

    module: str


Found = Piece | KeptImport | Shim | ModuleReference


@dataclass
class Closure:
    """All that a slice holds. Names are those of the one namespace that kernel.py is."""

    pieces: dict[tuple[str, int], Piece] = field(default_factory=dict)
    imports: dict[str, KeptImport] = field(default_factory=dict)
    shims: dict[str, Shim] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    """Name used by one module -> name under which another defines it."""
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    """Name that stands for a module -> its attributes, by the name that defines each."""
    settings: dict[str, set[str]] = field(default_factory=dict)
    """Name that stands for a table of settings -> the settings that are read."""
    torch_shims: dict[str, Shim] = field(default_factory=dict)
    provided: dict[str, set[str]] = field(default_factory=dict)
    """Module that functions import from when they are called -> what they import of it, which has those names here."""
    stubs: dict[str, Stub] = field(default_factory=dict)
    needs: dict[Module, list[Module]] = field(default_factory=dict)
    """Each module whose pieces are taken -> the modules whose pieces those use."""
    future: bool = False

    def copy(self) -> Closure:
        """As it is now, whatever is added to this one."""
        return Closure(**{name: _copied(value) for name, value in vars(self).items()})


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    return value.copy() if isinstance(value, (list, set)) else value


def executable_order(closure: Closure) -> Iterator[Piece]:
    """Pieces by module, a module after those it needs, each module's in its own order."""
    ordered: dict[Module, None] = {}
    started: set[Module] = set()

    def visit(module: Module) -> None:
        if module in started:
            return
        started.add(module)
        for needed in closure.needs.get(module, ()):
            visit(needed)
        ordered[module] = None

    for module in [*closure.needs, *(piece.module for piece in closure.pieces.values())]:
        visit(module)
    for module in ordered:
        own = [piece for piece in closure.pieces.values() if piece.module is module]
        yield from sorted(own, key=lambda piece: piece.statement.line)
