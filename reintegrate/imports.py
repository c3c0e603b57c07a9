"""Imports as isort has them: one more in a file, at its place, and those of a new file in groups."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable

from kmaint.errors import UsageError
from kmaint.folder import sha256
from kmaint.formatting import format_python
from kmaint.records.change import Edit
from reintegrate.names import bound_names

COLUMNS = 88
"""Both frameworks' line length."""
OWN = ("sglang", "tests", "vllm")
"""What a framework's own files import as its own; vLLM's tests are a package too."""


def with_import(path: str, text: str, module: str, name: str) -> Edit:
    """`from module import name` beside the file's other imports of that package, after those that sort before it."""
    top = module.partition(".")[0]
    tree = ast.parse(text)
    among = [
        node
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").partition(".")[0] == top
    ]
    imports: list[ast.Import | ast.ImportFrom] = [*among] or [
        node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    if not imports:
        raise UsageError(f"{path}: imports nothing, so there is no place for {module}", "land it by hand")
    earlier = [node for node in imports if not among or (getattr(node, "module", "") or "") < module]
    beside = earlier[-1] if earlier else imports[0]
    assert beside.end_lineno is not None
    lines = text.splitlines(keepends=True)[beside.lineno - 1 : beside.end_lineno]
    new = f"from {module} import {name}\n"
    gap = "" if among else "\n"
    after = [*lines, gap, new] if earlier else [new, *lines]
    return Edit(
        path=path,
        symbol=_symbol(beside),
        line=beside.lineno,
        end_line=beside.end_lineno,
        before_sha256=sha256("".join(lines)),
        after="".join(after),
        adds=tuple(name.split(", ")),
    )


def extended(path: str, text: str, module: str, names: Iterable[str]) -> Edit | None:
    """`from module import ...` with these names too, sorted as isort sorts them; None where the file has all of them.

    A file that imports nothing of the module gets a new line.
    """
    lacking = sorted(set(names) - bound_names(text))
    if not lacking:
        return None
    node = next((one for one in ast.parse(text).body if isinstance(one, ast.ImportFrom) and one.module == module), None)
    if node is None:
        return with_import(path, text, module, ", ".join(lacking))
    assert node.end_lineno is not None
    lines = text.splitlines(keepends=True)[node.lineno - 1 : node.end_lineno]
    spelled = [f"{alias.name} as {alias.asname}" if alias.asname else alias.name for alias in node.names]
    every = ", ".join(sorted([*spelled, *lacking]))
    return Edit(
        path=path,
        symbol=_symbol(node),
        line=node.lineno,
        end_line=node.end_lineno,
        before_sha256=sha256("".join(lines)),
        after=format_python(f"from {module} import {every}\n", columns=COLUMNS),
        adds=tuple(lacking),
    )


def in_groups(imports: Iterable[str]) -> str:
    """Imports as isort groups them: the standard library's, other packages', the framework's own."""
    groups: dict[int, list[str]] = {}
    for text in imports:
        top = text.split()[1].partition(".")[0]
        rank = 0 if top in sys.stdlib_module_names else 2 if top in OWN else 1
        groups.setdefault(rank, []).append(text)
    # `import x` goes before `from x import y`, and each by its module.
    ordered = {rank: sorted(group, key=lambda text: (text.startswith("from "), text)) for rank, group in groups.items()}
    return "\n\n".join("\n".join(ordered[rank]) for rank in sorted(ordered))


def _symbol(node: ast.Import | ast.ImportFrom) -> str:
    return ",".join(alias.asname or alias.name.partition(".")[0] for alias in node.names)
