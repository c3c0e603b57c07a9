"""Whether a running engine comes by what a patch changed: a third copy of it counts, and is never timed.

A count is put before each statement that launches a changed kernel, and first in each changed host function.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from kmaint.records.engine import Engaged
from reintegrate.engine.overlay import Overlay

COUNTER = "kmaint_engaged"
COUNTS_IN = "KMAINT_ENGAGED"
"""The variable that names the folder where each process writes what it counted."""

COUNTER_FILE = Path(__file__).parent / "workers" / f"{COUNTER}.py"
Functions = list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]
"""By qualified name: several classes of a file have a method of one name."""

STARTER = f"import {COUNTER}\n"
"""sitecustomize.py: so that data files that are read early count too."""


def count_in(overlay: Overlay, base: Overlay, changed: list[str]) -> list[str]:
    """Put counts into a patched overlay; the places, as `path::symbol` or the path of a data file."""
    shutil.copy(COUNTER_FILE, overlay.root)
    (overlay.root / "sitecustomize.py").write_text(STARTER)
    sources = [path for path in changed if path.endswith(".py") and (overlay.root / path).is_file()]
    trees = {path: _parsed(overlay.root / path) for path in sources}
    functions = {path: _changed(tree, _parsed(base.root / path)) for path, tree in trees.items()}
    kernels = {node.name for found in functions.values() for _, node in found if _is_kernel(node)}
    for tree in trees.values():
        kernels |= _callers(tree, kernels)
    places = [path for path in changed if path not in sources]
    for path in sorted({*sources, *_naming(overlay, kernels)}):
        file = overlay.root / path
        text, found = counted(file.read_text(), functions.get(path, []), kernels, path)
        file.write_text(text)
        places += found
    return places


def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text() if file.is_file() else "")


def _naming(overlay: Overlay, kernels: set[str]) -> Iterator[str]:
    """Files of the package that may launch one of the kernels: it is mostly launched where it stands, not always."""
    if not kernels:
        return
    launch = re.compile(rf"\b({'|'.join(map(re.escape, sorted(kernels)))})\s*\[")
    for file in overlay.folder.rglob("*.py"):
        if launch.search(file.read_text(errors="replace")):
            yield file.relative_to(overlay.root).as_posix()


def counted(text: str, changed: Functions, kernels: set[str], path: str) -> tuple[str, list[str]]:
    """The source with its counts, and their places: `changed` are its functions that the patch changed."""
    lines = text.splitlines(keepends=True)
    at: dict[int, str] = {}
    for statement, name in [*_host_bodies(changed), *_launches(ast.parse(text), kernels)]:
        line, indent = _first_line(statement), statement.col_offset
        if not lines[line - 1][:indent].strip():  # no room before a statement that begins no line: `else: f()`
            at[line] = f"{path}::{name}"
    for line, place in sorted(at.items(), reverse=True):
        indentation = lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]
        lines.insert(line - 1, f"{indentation}__import__({COUNTER!r}).came_by({place!r})\n")
    return "".join(lines), sorted(set(at.values()))


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(one.lineno for one in decorators)])


def _changed(tree: ast.Module, before: ast.Module) -> Functions:
    """Functions that the patch adds or changes; a comment or a line further down is no change."""
    earlier = {(name, ast.dump(node)) for name, node in _functions(before)}
    return [(name, node) for name, node in _functions(tree) if (name, ast.dump(node)) not in earlier]


def _functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        name = within
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = f"{within}.{node.name}" if within else node.name
            if not isinstance(node, ast.ClassDef):
                yield name, node
        yield from _functions(node, name)


def _callers(tree: ast.Module, kernels: set[str]) -> set[str]:
    """Kernels of the file that call one of these, at whatever depth: a device function is never launched itself."""
    callers: set[str] = set()
    jitted = [node for _, node in _functions(tree) if _is_kernel(node)]
    while found := {node.name for node in jitted if _names(node) & (kernels | callers)} - kernels - callers:
        callers |= found
    return callers


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _is_kernel(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("jit" in ast.unparse(one) for one in node.decorator_list)


def _host_bodies(changed: Functions) -> Iterator[tuple[ast.stmt, str]]:
    """The first statement of each changed function that runs on the host."""
    for name, node in changed:
        if not _is_kernel(node):
            documented = len(node.body) > 1 and ast.get_docstring(node) is not None
            yield node.body[documented], name


def _launches(tree: ast.Module, kernels: set[str]) -> Iterator[tuple[ast.stmt, str]]:
    """Each statement that launches one of the kernels, or takes `name[grid]` to launch it later."""
    for statement in ast.walk(tree):
        if not isinstance(statement, (ast.Expr, ast.Assign, ast.AnnAssign, ast.Return)):
            continue
        for node in ast.walk(statement):
            match node:
                case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name)) if name in kernels:
                    yield statement, name


def variables(overlay: Overlay, places: list[str], into: Path) -> dict[str, str]:
    """What tells a counting process where its counts go, and which data files it should watch for."""
    data = [str(overlay.root / place) for place in places if "::" not in place]
    return {COUNTS_IN: str(into), f"{COUNTS_IN}_DATA": json.dumps(data)}


def engaged(overlay: Overlay, places: list[str], into: Path) -> tuple[Engaged, ...]:
    """How often all processes together came by each place; at least so often, since they write at powers of two."""
    total = Counter[str]()
    for file in into.glob("*.json"):
        total.update(json.loads(file.read_text()))
    counts = {place: total[place] or total[str(overlay.root / place)] for place in places}
    return tuple(Engaged(place=place, count=count) for place, count in sorted(counts.items()))
