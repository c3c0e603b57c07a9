"""The definitions of a Python file, nested as their indentation says, with the decorators above them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from extract.scan.brackets import depth_of, is_balanced
from extract.scan.masking import Source

DEFINES = re.compile(
    rb"\n( *+)(?:(?P<at>@)|(?P<head>(?:async\s+)?(?P<kind>def|class)\s+(?P<name>[A-Za-z_\x80-\xff][\w\x80-\xff]*)))"
)
MAX_TRIES = 64
"""Lines that may seem to end a definition and stand inside a bracket of it: none does in either framework."""

Kind = Literal["def", "class"]


@dataclass(slots=True)
class Scope:
    """A function or class. Offsets: `start` of its first decorator, `head` of its `def` or `class`, `end` past it."""

    kind: Kind
    name: str
    qualname: str
    indent: int
    start: int
    head: int
    line: int
    parent: Scope | None
    is_inside_function: bool
    decorators: list[tuple[int, int]]
    code: bytes
    _end: int = -1

    @property
    def end(self) -> int:
        """Looked for when first asked for: of most functions nobody asks."""
        if self._end < 0:
            self._end = end_of(self.code, self.head, self.indent)
        return self._end


def read_outline(source: Source) -> list[Scope]:
    """Every definition of a file, outer before inner."""
    found: list[Scope] = []
    open_scopes: list[Scope] = []
    pending: list[re.Match[bytes]] = []
    line, counted = 0, 0
    for match in DEFINES.finditer(source.code):
        if match["at"]:
            pending.append(match)
            continue
        indent, head = len(match[1]), match.start("head")
        line += source.text.count(b"\n", counted, head)
        counted = head
        decorators: list[tuple[int, int]] = []
        if pending:
            decorators += _decorators(source.code, pending, indent, match.start())
            pending.clear()
        while open_scopes and (open_scopes[-1].indent >= indent or open_scopes[-1].end <= head):
            open_scopes.pop()
        parent = open_scopes[-1] if open_scopes else None
        name = name_of(match)
        scope = Scope(
            "class" if match["kind"] == b"class" else "def",
            name,
            f"{_prefix(parent)}{name}",
            indent,
            decorators[0][0] - 1 if decorators else head,
            head,
            line,
            parent,
            parent is not None and (parent.kind == "def" or parent.is_inside_function),
            decorators,
            source.code,
        )
        found.append(scope)
        open_scopes.append(scope)
    return found


def name_of(head: re.Match[bytes]) -> str:
    """The name that the head of a definition gives, as Python spells it."""
    name: bytes = head["name"]
    return name.decode() if name.isascii() else unicodedata.normalize("NFKC", name.decode(errors="replace"))


def _prefix(parent: Scope | None) -> str:
    if parent is None:
        return ""
    return f"{parent.qualname}." if parent.kind == "class" else f"{parent.qualname}.<locals>."


def _decorators(code: bytes, pending: list[re.Match[bytes]], indent: int, head: int) -> Iterator[tuple[int, int]]:
    """Where the expressions of the decorators stand, without their `@`; a product over lines begins with one too."""
    ends = [*(match.start() for match in pending[1:]), head]
    for match, end in zip(pending, ends, strict=False):
        start = match.end()
        expression = code[start:end].rstrip()
        if len(match[1]) == indent and is_balanced(expression):
            yield start, start + len(expression)


def end_of(code: bytes, head: int, indent: int) -> int:
    """Where the code of a definition ends: before the next line that stands no deeper and inside no bracket."""
    pattern, start, depth = _outside(indent), head, 0
    first: int | None = None
    for _ in range(MAX_TRIES):
        match = pattern.search(code, start)
        stop = match.start() if match else len(code)
        first = stop if first is None else first
        depth = 0 if match and match["head"] else depth + depth_of(code[start:stop])
        if depth <= 0 or match is None:
            break
        start = match.end()
    else:
        stop = first if first is not None else len(code)
    return head + len(code[head : stop if depth <= 0 else first].rstrip())


@cache
def _outside(indent: int) -> re.Pattern[bytes]:
    """Lines that may end a definition; one that begins with a `head` does, since no definition stands in a bracket."""
    return re.compile(rb"\n {0,%d}+(?=(?P<head>def |class )?[^\s)\]}])" % indent)
