"""Python text with its strings and comments blanked out, offsets kept: what is left can be read with patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from extract.scan.brackets import is_balanced

NOISE = re.compile(
    rb"#[^\n]*+"
    rb'|"""(?:[^"\\]++|\\.|"(?!""))*+(?:"""|\Z)'
    rb"|'''(?:[^'\\]++|\\.|'(?!''))*+(?:'''|\Z)"
    rb'|"(?:[^"\\\n]++|\\.)*+"?'
    rb"|'(?:[^'\\\n]++|\\.)*+'?",
    re.DOTALL,
)
TAB_INDENT = re.compile(rb"^ *\t", re.MULTILINE)
IN_NAME = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") | set(range(128, 256))
BEFORE_NAME = IN_NAME | {ord(".")}
HASH = b"#"
MARKED = bytes.maketrans(b"\"'", HASH * 2)
"""Makes one of the three marks that noise begins with."""
SHORT = 256
BLANKS = [b" " * length for length in range(SHORT)]
QUOTED = [b"", b'"', *(b'"' + b" " * length + b'"' for length in range(SHORT - 2))]


@dataclass(frozen=True, slots=True)
class Source:
    """A file's `text` and, of the same length, its `code`: a string is a pair of quotes around blanks.

    Both begin with a line break that the file lacks, so every line begins with one, and the breaks before an offset
    count its line from 1. In `code` a line break inside a string or after a backslash is a blank.
    """

    text: bytes
    code: bytes
    is_whole: bool
    """False where a string or a bracket never ends: the file is no Python."""

    def line(self, offset: int) -> int:
        return self.text.count(b"\n", 0, offset)


def read_source(content: bytes) -> Source:
    """Blank the noise of one file; any bytes will do."""
    text = b"\n" + content.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\f" in text:
        text = text.replace(b"\f", b"")
    if b"\t" in text and TAB_INDENT.search(text):
        text = text.expandtabs(8)  # as Python counts them
    code, is_closed = _blanked(text)
    code = code.replace(b"\\\n", b"  ")
    return Source(text, code, is_whole=is_closed and is_balanced(code))


def _blanked(text: bytes) -> tuple[bytes, bool]:
    """The text without its noise, and whether every string of it ends.

    Where noise may begin is looked for as one character: a set of three takes `re` longer than all the rest.
    """
    code, marked, is_closed = bytearray(text), text.translate(MARKED), True
    at = marked.find(HASH)
    while at >= 0:
        found = NOISE.match(text, at)
        assert found is not None
        stop = found.end()
        length = stop - at
        if text[at] == HASH[0]:
            code[at:stop] = BLANKS[length] if length < SHORT else b" " * length
        else:
            code[at:stop] = QUOTED[length] if length < SHORT else b'"' + b" " * (length - 2) + b'"'
            is_closed = is_closed and length > 1 and text[stop - 1] == text[at]
        at = marked.find(HASH, stop)
    return bytes(code), is_closed


def mentions(code: bytes, name: bytes) -> Iterator[int]:
    """Where a name stands by itself, or begins a dotted one."""
    at = code.find(name)
    while at >= 0:
        end = at + len(name)
        if code[at - 1] not in BEFORE_NAME and (end >= len(code) or code[end] not in IN_NAME):
            yield at
        at = code.find(name, end)


def calls_of(code: bytes, name: bytes) -> Iterator[int]:
    """Where a name ends, alone or as the end of any other, that a bracket follows at once."""
    at = code.find(name + b"(")
    while at >= 0:
        yield at + len(name)
        at = code.find(name + b"(", at + 1)


def ends_with(code: bytes, end: int, names: Iterable[bytes]) -> bool:
    """Whether one of some dotted names stands by itself before an offset."""
    starts = (end - len(name) for name in names if code.endswith(name, 0, end))
    return any(start > 0 and code[start - 1] not in BEFORE_NAME for start in starts)
