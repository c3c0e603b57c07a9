"""Runs a framework's own lookup of tuned configurations, cut out of its file: which file it asks for, what it gives.

Needs the standard library only. Reads one JSON object on standard input, prints one. Framework names that the lookup
uses are followed to where the tree defines them; the device, the release of Triton and switches stand in as given.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import io
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class Nothing:
    """A logger, a switch that is off: takes whatever is done with it and is false."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        # A bare decorator gives back what it decorates.
        return arguments[0] if len(arguments) == 1 and callable(arguments[0]) and not options else self

    def __bool__(self) -> bool:
        return False


class Switches(Nothing):
    """Environment settings, none of them set."""

    def __getattr__(self, name: str) -> Any:
        return None


def stand_ins(device: str, triton: str) -> dict[str, Any]:
    """What a lookup asks of the machine."""
    platform = SimpleNamespace(get_device_name=lambda *_: device, is_cuda=lambda: True, is_rocm=lambda: False)
    return {
        "get_device_name": lambda *_: device,
        "current_platform": platform,
        "triton": SimpleNamespace(__version__=triton),
        "envs": Switches(),
        "_is_cuda": True,
        "_is_hip": False,
    }


class Tree:
    """Functions of a tree's modules, each run with the names of its own module."""

    def __init__(self, root: Path, given: dict[str, Any], written: dict[str, str]) -> None:
        self.root, self.given, self.written = root, given, written
        self._modules: dict[Path, dict[str, Any]] = {}

    def function(self, path: Path, name: str) -> Any:
        """A module's function, with all that it needs of the module; None where it has none of that name."""
        names = self._modules.setdefault(path, {"__name__": "cut", "__file__": str(path), "open": self.opened})
        if name not in names:
            module = ast.parse(path.read_text(encoding="utf-8-sig"))
            self._define(path, module, name, names)
        return names.get(name)

    def opened(self, path: Any, *words: Any, **options: Any) -> Any:
        """A file of the tree, or as it will be."""
        text = self.written.get(str(path))
        return io.StringIO(text) if text is not None else Path(path).open(*words, **options)

    def _define(self, path: Path, module: ast.Module, name: str, names: dict[str, Any]) -> None:
        if name in names or name in self.given:
            names.setdefault(name, self.given.get(name))
            return
        statement = next((node for node in module.body if name in _binds(node)), None)
        if statement is None:
            if not hasattr(builtins, name):
                names[name] = Nothing()
            return
        if isinstance(statement, ast.Import | ast.ImportFrom):
            names[name] = self._imported(statement, name)
            return
        names[name] = Nothing()  # a function that calls itself
        statement = _Bare(lambda inner, bound: names.setdefault(bound, self._imported(inner, bound))).visit(statement)
        for needed in sorted({node.id for node in ast.walk(statement) if isinstance(node, ast.Name)} - {name}):
            self._define(path, module, needed, names)
        exec(compile(ast.Module(body=[statement], type_ignores=[]), str(path), "exec"), names)  # noqa: S102 - the tree's

    def _imported(self, statement: ast.Import | ast.ImportFrom, name: str) -> Any:
        if name in self.given:
            return self.given[name]
        alias = next(one for one in statement.names if (one.asname or one.name.partition(".")[0]) == name)
        module = statement.module or "" if isinstance(statement, ast.ImportFrom) else alias.name
        if module.partition(".")[0] in sys.stdlib_module_names:
            found = importlib.import_module(module)
            return getattr(found, alias.name) if isinstance(statement, ast.ImportFrom) else found
        place = self.root / f"{module.replace('.', '/')}.py"
        if isinstance(statement, ast.ImportFrom) and place.is_file():
            return self.function(place, alias.name)
        return re if module == "regex" else Nothing()


class _Bare(ast.NodeTransformer):
    """Takes annotations off, and imports out of a function's body: what they bind is handed to `bind`."""

    def __init__(self, bind: Callable[[ast.ImportFrom, str], Any]) -> None:
        self.bind = bind

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        for alias in node.names:
            self.bind(node, alias.asname or alias.name)
        return ast.copy_location(ast.Pass(), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        node.returns = None
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node


def _binds(node: ast.stmt) -> set[str]:
    match node:
        case ast.FunctionDef(name=name):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {alias.asname or alias.name.partition(".")[0] for alias in names}
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case _:
            return set()


def main() -> None:
    asked: dict[str, Any] = json.load(sys.stdin)
    root = Path(asked["root"]).resolve()
    written = {str(root / path): text for path, text in asked["written"].items()}
    looked: list[str] = []
    exists = os.path.exists

    def watched(path: Any) -> bool:
        looked.append(str(path))
        return str(path) in written or exists(path)

    os.path.exists = watched
    tree = Tree(root, stand_ins(asked["device"], asked["triton"]), written)
    function = tree.function(root / asked["path"], asked["function"])
    given = [function(**arguments) for arguments in asked["calls"]]
    inside = [str(Path(path).relative_to(root)) for path in looked if Path(path).is_relative_to(root)]
    sys.stdout.write(json.dumps({"asked": inside, "given": given}) + "\n")


if __name__ == "__main__":
    main()
