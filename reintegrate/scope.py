"""Holds an edited file against what it was: only the named definitions may differ, down to comments and white space."""

from __future__ import annotations

from collections.abc import Collection

import libcst

from kmaint.errors import InternalError


def only_changes(path: str, before: str, after: str, symbols: Collection[str]) -> None:
    """InternalError where a statement of the module that defines none of the symbols is not what it was.

    The concrete syntax tree holds comments, blank lines and quotes, so a reformatted neighbour counts as a change. An
    independent reading: splicing works on lines and knows nothing of syntax.
    """
    old, new = _others(before, symbols), _others(after, symbols)
    strayed = [new_statement for new_statement in new if not any(new_statement.deep_equals(one) for one in old)]
    if strayed or len(old) != len(new):
        first = libcst.Module(body=strayed[:1]).code.strip().splitlines() or ["a statement that is gone"]
        raise InternalError(f"{path}: the patch also changes {first[0]!r}", "nothing was landed; please report this")


Statement = libcst.SimpleStatementLine | libcst.BaseCompoundStatement


def _others(source: str, symbols: Collection[str]) -> list[Statement]:
    found: list[Statement] = []
    described = False  # whether a string by itself would be about an assignment of a symbol, right above it
    for statement in libcst.parse_module(source).body:
        named = _defines(statement, symbols)
        if not named and not (described and _is_string(statement)):
            found.append(statement)
        described = named and isinstance(statement, libcst.SimpleStatementLine)
    return found


def _is_string(statement: Statement) -> bool:
    match statement:
        case libcst.SimpleStatementLine(body=[libcst.Expr(value=libcst.SimpleString())]):
            return True
        case _:
            return False


def _defines(statement: Statement, symbols: Collection[str]) -> bool:
    if isinstance(statement, libcst.FunctionDef | libcst.ClassDef):
        return statement.name.value in symbols
    # An assignment, or a branch that defines a name in each arm: its region names all that it binds.
    names = {name.value for name in _names(statement)}
    return bool(names & set(symbols))


def _names(node: libcst.CSTNode) -> list[libcst.Name]:
    found = [node] if isinstance(node, libcst.Name) else []
    return found + [name for child in node.children for name in _names(child)]
