"""Whether serving runs a kernel's launcher at all, or another implementation of the operator, and who decides."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kmaint.errors import UsageError
from kmaint.layout import use_of
from reintegrate.kinds.win import Win
from reintegrate.names import dotted
from reintegrate.repository import git


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """What is called instead, in which file of the tree that is decided, and on what condition."""

    other: str
    path: str
    test: str

    def __str__(self) -> str:
        return f"serving calls {self.other} instead ({self.path}, where {self.test})"


def served_elsewhere(win: Win, tree: Path) -> Elsewhere | None:
    """Where what imports the launcher calls another implementation with the same arguments if it can; else None."""
    for path in _importers(win, tree):
        for function in ast.walk(ast.parse((tree / path).read_text())):
            choices = ast.walk(function) if isinstance(function, ast.FunctionDef) else ()
            for choice in choices:
                if isinstance(choice, ast.If) and (other := _preferred(choice, win.harness.entry)):
                    test = " ".join(ast.unparse(choice.test).split())
                    return Elsewhere(other=other, path=path, test=test)
    return None


def _importers(win: Win, tree: Path) -> list[str]:
    """Files of the package that import from the module of the launcher."""
    module = dotted(win.harness.provenance.path, win.harness.provenance.framework)
    try:
        found = git(tree, "grep", "--files-with-matches", "--fixed-strings", f"from {module} import", "--", "*.py")
    except UsageError:
        return []  # git's word for nothing found, or no repository
    return [path for path in found.splitlines() if use_of(path) is None]


def _preferred(choice: ast.If, entry: str) -> str:
    """What the first branch calls with the very arguments that the other gives the launcher; empty where none does."""
    own = {_arguments(call) for call in _calls(choice.orelse) if _called(call) == entry}
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for statement in choice.body
        for node in ast.walk(statement)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for call in _calls(choice.body):
        name = _called(call)
        if _arguments(call) in own and (name != entry or name in imported):
            return imported.get(name, name)
    return ""


def _calls(body: list[ast.stmt]) -> Iterator[ast.Call]:
    for statement in body:
        yield from (node for node in ast.walk(statement) if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _arguments(call: ast.Call) -> str:
    return ", ".join(ast.unparse(one) for one in (*call.args, *call.keywords))
