"""Whether a module of a tree, once it is imported, imports another: read off the source, since nothing of it is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path


def reaches(package: Path, modules: Sequence[str], target: str) -> bool:
    """Whether importing these modules, by their dotted names, comes to the target; `package` holds the top package.

    Packages around the target do not count: they are under way before it is. What stands in functions does not either.
    """
    around = {target.rsplit(".", count)[0] for count in range(1, target.count(".") + 1)}
    waiting, seen = [one for module in modules for one in _with_packages(module)], set[str]()
    while waiting:
        module = waiting.pop()
        if module in seen or module in around:
            continue
        seen.add(module)
        if file := _file(package, module):
            waiting += _imports(file, module)
    return target in seen


def _with_packages(module: str) -> list[str]:
    """A module and the packages around it, all of which are imported with it."""
    parts = module.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _file(package: Path, module: str) -> Path | None:
    place = package / module.replace(".", "/")
    return next((one for one in (place.with_suffix(".py"), place / "__init__.py") if one.is_file()), None)


def _imports(file: Path, module: str) -> Iterator[str]:
    """What a file imports while it is imported, names of functions among those of modules."""
    own = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in _at_import(ast.parse(file.read_text(encoding="utf-8-sig")).body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_packages(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(own.split(".")[: len(own.split(".")) + 1 - node.level]) if node.level else ""
            origin = ".".join(filter(None, (base, node.module)))
            yield from _with_packages(origin)
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def _at_import(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported; those for type checkers alone do not."""
    for node in body:
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _at_import(node.orelse)
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from _at_import(getattr(node, name, []))
        for handler in getattr(node, "handlers", []):
            yield from _at_import(handler.body)
