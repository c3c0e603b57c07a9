"""Names of Python: which a piece of it needs from around it and which it binds, as the compiler's own symbol table has
it, and what a file is called in imports."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator

AROUND = frozenset(dir(builtins)) | {"__file__", "__name__", "__doc__", "__spec__", "__package__"}
"""Names that every module has without binding them."""


def dotted(path: str, framework: str) -> str:
    """The name by which the framework's own files import the file."""
    module = path.removesuffix(".py").replace("/", ".")
    return module[module.index(f"{framework}.") :] if f"{framework}." in module else module


def bound_names(source: str) -> set[str]:
    """What the source binds at module level, whether by definition, import, assignment, loop or `with`."""
    table = symtable.symtable(source, "module", "exec")
    return {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}


def needed_names(source: str) -> set[str]:
    """What the source reads and neither binds at module level nor finds among the builtins."""
    table = symtable.symtable(source, "module", "exec")
    return set(_read_globals(table)) - bound_names(source) - AROUND


def imports_everything(source: str) -> bool:
    """Whether `from x import *` stands in it, after which nobody can say what it binds without running it."""
    return any(
        isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
        for node in ast.walk(ast.parse(source))
    )


def _read_globals(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_referenced() and symbol.is_global():
            yield symbol.get_name()
    for child in table.get_children():
        yield from _read_globals(child)
