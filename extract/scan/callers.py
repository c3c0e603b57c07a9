"""Who calls some names of a file, where nothing else about the file matters."""

from __future__ import annotations

import re

from extract.scan.facts import Named
from extract.scan.masking import mentions, read_source
from extract.scan.outline import Scope, read_outline

MODULE = "<module>"


def read_callers(content: bytes, names: frozenset[str]) -> Named:
    """What each function or method of a file calls of the names, as they are spelled: `launch`, `module.launch`."""
    if not any(
        content[at + len(name) : at + len(name) + 1] in b"(."
        for name in map(str.encode, names)
        for at in mentions(content, name)
    ):
        return {}
    called = re.compile(
        rb"(?<![\w.])(?:%s)(?:\.\w+)*+\(" % b"|".join(re.escape(name.encode()) for name in sorted(names))
    )
    source = read_source(content)
    hosts = [scope for scope in read_outline(source) if scope.kind == "def" and not scope.is_inside_function]
    found: dict[str, set[str]] = {}
    for match in called.finditer(source.code):
        host = _around(hosts, match.start())
        found.setdefault(host.qualname if host else MODULE, set()).add(match[0][:-1].decode(errors="replace"))
    return {host: sorted(spelled) for host, spelled in sorted(found.items())}


def _around(hosts: list[Scope], at: int) -> Scope | None:
    return next((scope for scope in hosts if scope.start <= at < scope.end), None)
