"""A Python file as its top-level statements, read lexically: which function an offset stands in."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

START = re.compile(rb"\n(?=[^ \t#)\]}'\"\r\n\\])")
"""Before a line that begins a statement at the margin; beginning with fixed text, it is found at memory's speed."""

HEAD = re.compile(rb"(?:async[ \t]+def|def|class)[ \t]+(\w+)|(\w+)[ \t]*(?::[^=\n]*)?=")
METHOD = re.compile(rb"\n[ \t]+(?:async[ \t]+)?def[ \t]+(\w+)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A top-level statement with its decorators; `name` is what it defines or assigns, empty where nothing."""

    start: int
    end: int
    name: str
    kind: str
    """def, class, name or an empty string."""


class Chunks:
    """The top-level statements of one file; only those that are asked for are looked at."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._made: dict[int, Chunk] = {}

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in START.finditer(self.content))]

    def at(self, offset: int) -> Chunk:
        """The statement that an offset stands in."""
        return self._make(bisect_right(self._starts, offset) - 1)

    def named(self, name: str) -> list[Chunk]:
        """The statements that define or assign a name, in order: there are several where branches differ."""
        found = dict.fromkeys(self.at(offset) for offset in words(self.content, name.encode()))
        return [chunk for chunk in found if chunk.name == name]

    def text(self, chunk: Chunk) -> bytes:
        return self.content[chunk.start : chunk.end]

    def mentions(self, name: bytes) -> Iterator[tuple[Chunk, int]]:
        """Each top-level statement that mentions a name as a whole word, with the offset; once for each method."""
        for offset in words(self.content, name):
            yield self.at(offset), offset

    def users(self, names: Iterable[str], *, hops: int) -> dict[str, int]:
        """Functions and classes that use a name, themselves or through each other, by how many steps away."""
        found = dict.fromkeys(names, 0)
        pending = list(found)
        for hop in range(1, hops + 1):
            near = {chunk for name in pending for chunk, _ in self.mentions(name.encode())}
            pending = [chunk.name for chunk in near if chunk.kind in ("def", "class") and chunk.name not in found]
            found.update(dict.fromkeys(pending, hop))
        return found

    def method_at(self, chunk: Chunk, offset: int) -> str | None:
        """The method of a class that an offset stands in."""
        found = None
        for match in METHOD.finditer(self.content, chunk.start, chunk.end):
            if match.start() > offset:
                break
            found = match[1].decode()
        return found

    def _make(self, index: int) -> Chunk:
        if index not in self._made:
            content, starts = self.content, self._starts
            first = index
            while first and content.startswith(b"@", starts[first - 1]):
                first -= 1
            while content.startswith(b"@", starts[index]) and index + 1 < len(starts):
                index += 1
            end = starts[index + 1] if index + 1 < len(starts) else len(content)
            chunk = _chunk(content, starts[first], starts[index], end)
            self._made.update(dict.fromkeys(range(first, index + 1), chunk))
        return self._made[index]


def words(content: bytes, name: bytes) -> Iterator[int]:
    """Offsets at which a name stands as a whole word; `name` may be dotted."""
    size, offset = len(name), content.find(name)
    while offset >= 0:
        before, after = content[offset - 1 : offset], content[offset + size : offset + size + 1]
        if not _in_word(before) and before != b"." and not _in_word(after):
            yield offset
        offset = content.find(name, offset + size)


def _in_word(byte: bytes) -> bool:
    return byte.isalnum() or byte == b"_"


def _chunk(content: bytes, start: int, head: int, end: int) -> Chunk:
    found = HEAD.match(content, head, end)
    if found is None:
        return Chunk(start, end, "", "")
    if found[2]:
        return Chunk(start, end, found[2].decode(), "name")
    kind = "class" if content.startswith(b"class", head) else "def"
    return Chunk(start, end, found[1].decode(), kind)
