"""How each language spells the decorator that compiles a function, whatever module handed its name on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import NamedTuple

from kmaint.records.kernel import Language


class Dialect(NamedTuple):
    """`spelling` is searched in a dotted name with its import resolved; `is_entry` as in PythonKernel."""

    language: Language
    spelling: re.Pattern[str]
    is_entry: bool


def _dialect(language: Language, spelling: str, *, is_entry: bool = False) -> Dialect:
    return Dialect(language, re.compile(rf"(?:^|\.){spelling}$"), is_entry)


DIALECTS = (
    _dialect("triton", r"triton(?:\.runtime)?(?:\.jit)?\.jit"),
    _dialect("gluon", r"gluon\.jit"),
    _dialect("cute", r"cute(?:\.experimental)?\.kernel", is_entry=True),
    _dialect("cute", r"cute(?:\.experimental)?\.jit"),
    _dialect("tilelang", r"tilelang(?:\.jit)?\.jit", is_entry=True),
    _dialect("tilelang", r"(?:T|tir|tilelang\.language)\.prim_func", is_entry=True),
    _dialect("helion", r"helion\.(?:kernel|jit)", is_entry=True),
    _dialect("flydsl", r"(?:flyc|flydsl\.compiler|flydsl)\.kernel", is_entry=True),
    _dialect("flydsl", r"(?:flyc|flydsl\.compiler|flydsl)\.jit"),
    _dialect("numba", r"numba(?:\.core\.decorators)?\.(?:n?jit|cuda\.jit)"),
)

LAST_WORDS = ("jit", "kernel", "prim_func")
"""What every spelling ends in."""
LAST_BYTES = tuple(map(str.encode, LAST_WORDS))
SPELLED = {word: re.compile(word) for word in LAST_BYTES}
"""Where each stands: `re` finds a short text in half the time that `in` takes."""

OWNERS = (b"triton", b"gluon", b"cute", b"tilelang", b"prim_func", b"helion", b"fly", b"numba")
IMPORTED_AS = {word: re.compile(word + rb"[ \t]+as[ \t]+(\w+)") for word in LAST_BYTES}
GIVEN_NAME = re.compile(rb"\n(\w++)[ \t]*+=[ \t]*+(?:[\w.]*\(\s*)?[\w.]*\.(?:jit|kernel|prim_func)\b")
DEFINED = re.compile(rb"(?:def|class)\s+([\w\x80-\xff]+)")
ASSIGNED = re.compile(rb"([\w\x80-\xff]+)[^=\n]*=")
DECORATES = re.compile(rb"@[ \t]*+[\w.]*(?:jit|kernel|prim_func)\b")
CALLS = {b"jit": b"jit(", b"kernel": b".kernel("}
"""How compiling by call is spelled, by the word of LAST_BYTES in it."""


def may_define(content: bytes) -> bool:
    """Whether a file may define a kernel or a decorator that does: cheap, and never a false no.

    Each test is a search of the whole file, and most files end at the first.
    """
    words = _last_words(content)
    if not words:
        return False
    return (
        DECORATES.search(content) is not None
        or any(word in words and call in content for word, call in CALLS.items())
        or any(_renamed(content, words))
    ) and any(owner in content for owner in OWNERS)


def _last_words(content: bytes) -> list[bytes]:
    return [word for word, spelled in SPELLED.items() if spelled.search(content)]


def _renamed(content: bytes, words: Collection[bytes]) -> Iterator[bytes]:
    """Names of its own that a file gives to a decorator which may compile; `words` are those that it holds."""
    for word in words:
        yield from IMPORTED_AS[word].findall(content)
    if any(b"." + word in content for word in words):
        yield from GIVEN_NAME.findall(content)


def glance(content: bytes) -> tuple[str, ...]:
    """Names that other files may import to reach a kernel of this one: more than there are, and none too few."""
    found: set[bytes] = set()
    decorators = [match.span() for match in DECORATES.finditer(content)]
    for renamed in set(_renamed(content, _last_words(content))):
        decorators += (match.span() for match in re.finditer(rb"@[ \t]*+%s\b" % renamed, content))
    for start, end in decorators:
        if head := DEFINED.search(content, end):
            found.add(head[1])
        found.update(_around(content, start))
    for call in CALLS.values():
        at = content.find(call)
        while at >= 0:
            found.update(ASSIGNED.findall(content, content.rfind(b"\n", 0, at) + 1, at))
            found.update(_around(content, at))
            at = content.find(call, at + 1)
    return tuple(sorted(name.decode(errors="replace") for name in found))


def _around(content: bytes, at: int) -> Iterator[bytes]:
    """The function and the class above an indented line: one of them may hold it."""
    line = content.rfind(b"\n", 0, at) + 1
    if content[line : line + 1] in (b" ", b"\t"):
        for above in (b"\ndef ", b"\nclass "):
            head = content.rfind(above, 0, at)
            if head >= 0 and (name := DEFINED.match(content, head + 1)):
                yield name[1]


@cache
def dialect_of(name: str) -> Dialect | None:
    """The language whose decorator a dotted name is, or None."""
    if name.endswith(LAST_WORDS):
        for dialect in DIALECTS:
            if dialect.spelling.search(name):
                return dialect
    return None
