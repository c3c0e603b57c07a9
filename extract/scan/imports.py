"""The names that a Python file imports, wherever its import statements stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from sys import intern

STATEMENT = re.compile(
    rb"\n[ \t]*+(?:from[ \t]+(?P<origin>\.*[ \t]*[\w.]*)[ \t]+import\b[ \t]*"
    rb"(?P<names>\((?:[^)#]|#[^\n]*)*+\)?|(?:\\\n|[^\n])*+)|import[ \t]+(?P<modules>[^\n]*))"
)
IMPORT = re.compile(rb"import")
COMMENT = re.compile(rb"#[^\n]*")
NAME = re.compile(r"([\w.]+|\*)(?:\s+as\s+(\w+))?")


@dataclass(slots=True)
class Imports:
    """`names` are dotted origins by the name they are bound to; `stars` the modules that hand everything on.

    `modules` are named whole by statements that bind only the first of their names.
    """

    names: dict[str, str] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)
    stars: list[str] = field(default_factory=list)


def read_imports(code: bytes, package: str, roots: frozenset[str] | None = None) -> Imports:
    """Imports as seen from inside `package`, of all modules or of those that begin with one of `roots`.

    The first binding of a name counts: what follows is the `except ImportError` of it, or a function's own.
    """
    found = Imports()
    for match in _statements(code):
        origin, names, modules = match.groups()
        if modules is not None:
            for name, bound in NAME.findall(_text(modules)):
                first = name.partition(".")[0]
                if roots is None or first in roots:
                    found.names.setdefault(bound or first, name if bound else first)
                    found.modules.append(name)
            continue
        module = _absolute(package, origin.decode())
        if roots is not None and module.partition(".")[0] not in roots:
            continue
        for name, bound in NAME.findall(_text(names)):
            if name == "*":
                found.stars.append(module)
            else:
                found.names.setdefault(intern(bound or name), intern(f"{module}.{name}"))
    return found


def _statements(code: bytes) -> Iterator[re.Match[bytes]]:
    """As `STATEMENT.finditer`, which would try every line, where a search for one word tells which may be one."""
    end = 0
    for word in IMPORT.finditer(code):
        at = word.start()
        if at >= end and (match := STATEMENT.match(code, code.rfind(b"\n", 0, at))):
            end = match.end()
            yield match


def _text(names: bytes) -> str:
    if b"#" in names:
        names = COMMENT.sub(b"", names)
    return names.partition(b";")[0].decode(errors="replace")


def _absolute(package: str, origin: str) -> str:
    """The dotted module that a from-import names, seen from inside `package`."""
    name = origin.lstrip(".")
    level = len(origin) - len(name)
    if not level:
        return name
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], *([name.strip()] if name.strip() else [])])
