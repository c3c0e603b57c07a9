"""Who calls some names of a file, where nothing else about the file matters."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Protocol

from extract.scan.facts import Named
from extract.scan.masking import Source, mentions
from extract.scan.naming import MODULE
from extract.scan.outline import Scope, end_of, name_of, read_outline

HEADS = (b"\ndef ", b"\nclass ", b"\nasync def ")
FUNCTION = re.compile(rb"\n(?:async\s+)?def\s+(?P<name>[A-Za-z_\x80-\xff][\w\x80-\xff]*)")
CALLED = re.compile(rb"(?:\.\w+)*+(?=\()")


class Hosts(Protocol):
    """The functions and methods of a file that no other function encloses."""

    code: bytes

    def around(self, at: int) -> str:
        """The qualified name of the one that an offset stands in."""


def read_callers(content: bytes, names: frozenset[str], hosts_of: Callable[[], Hosts]) -> Named:
    """What each function or method of a file calls of the names, as they are spelled: `launch`, `module.launch`.

    `hosts_of` reads the same content; it is asked only where something is called by one of the names.
    """
    text = b"\n" + content
    spelled = [name for name in map(str.encode, names) if next(_calls(text, name), None)]
    if not spelled:
        return {}
    hosts = hosts_of()
    found: dict[str, set[str]] = {}
    for name in spelled:
        for at, end in _calls(hosts.code, name):
            found.setdefault(hosts.around(at), set()).add(hosts.code[at:end].decode(errors="replace"))
    return {host: sorted(called) for host, called in sorted(found.items())}


def _calls(code: bytes, name: bytes) -> Iterator[tuple[int, int]]:
    """Where a name stands that is called, or a member of it, and where the bracket of the call does."""
    for at in mentions(code, name):
        if tail := CALLED.match(code, at + len(name)):
            yield at, tail.end()


class NearHosts:
    """The hosts of a file, read only around the offsets asked for."""

    def __init__(self, source: Source) -> None:
        self.source, self.code = source, source.code
        self._heads = sorted(at for head in HEADS for at in _places(source.code, head))
        self._ends: dict[int, int] = {}
        self._scopes: dict[int, list[Scope]] = {}

    def around(self, at: int) -> str:
        code = self.code
        place = bisect_left(self._heads, at) - 1
        start = self._heads[place] if place >= 0 else -1
        if start >= 0 and start not in self._ends:
            self._ends[start] = end_of(code, start + 1, 0)
        if start < 0 or at >= self._ends[start]:  # a decorator's line, or a branch at the margin with definitions
            start, end = 0, len(code)
        elif function := FUNCTION.match(code, start):
            return name_of(function)
        else:
            end = self._ends[start]
        inside = (scope for scope in self._outline(start, end) if scope.start <= at - start < scope.end)
        return next((scope.qualname for scope in inside), MODULE)

    def _outline(self, start: int, end: int) -> list[Scope]:
        """The hosts in a piece of the file."""
        if start not in self._scopes:
            piece = Source(self.source.text[start:end], self.source.code[start:end], is_whole=True)
            self._scopes[start] = [
                scope for scope in read_outline(piece) if scope.kind == "def" and not scope.is_inside_function
            ]
        return self._scopes[start]


def _places(code: bytes, word: bytes) -> Iterator[int]:
    at = code.find(word)
    while at >= 0:
        yield at
        at = code.find(word, at + 1)
