"""How each language spells the decorator that compiles a function, whatever module handed its name on."""

from __future__ import annotations

import re
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

OWNERS = (b"triton", b"gluon", b"cute", b"tilelang", b"prim_func", b"helion", b"fly", b"numba")
RENAMED = re.compile(rb"(?:jit|kernel|prim_func)[ \t]+as[ \t]+(\w+)|(\w+)[ \t]*=[^\n]*\.(?:jit|kernel|prim_func)\b")
COMPILES = re.compile(rb"@[ \t]*+[\w.]*(?:jit|kernel|prim_func)\b|jit\(|\.kernel\(")
DEFINED = re.compile(rb"(?:def|class)\s+([\w\x80-\xff]+)")
ASSIGNED = re.compile(rb"([\w\x80-\xff]+)[^=\n]*=")
DECORATES = re.compile(rb"@[ \t]*+[\w.]*(?:jit|kernel|prim_func)\b")


def may_define(content: bytes) -> bool:
    """Whether a file may define a kernel or a decorator that does: cheap, and never a false no."""
    if not (b"jit" in content or b"kernel" in content or b"prim_func" in content):
        return False
    if not any(owner in content for owner in OWNERS):
        return False
    if b"jit(" in content or b".kernel(" in content:
        return True
    return DECORATES.search(content) is not None or RENAMED.search(content) is not None


def glance(content: bytes) -> tuple[str, ...]:
    """Names that other files may import to reach a kernel of this one: more than there are, and none too few."""
    found: set[bytes] = set()
    matches = [*COMPILES.finditer(content)]
    for renamed in {name for names in RENAMED.findall(content) for name in names if name}:
        matches += re.finditer(rb"@[ \t]*+%s\b" % renamed, content)
    for match in matches:
        start = content.rfind(b"\n", 0, match.start()) + 1
        if match[0].startswith(b"@"):
            found.update(
                DEFINED.findall(content, match.end(), content.find(b"(", content.find(b"def ", match.end())) + 1)[:1]
            )
        else:
            found.update(ASSIGNED.findall(content, start, match.start()))
        if content[start : start + 1] not in b" \t":
            continue
        for above in (b"\ndef ", b"\nclass "):
            head = content.rfind(above, 0, match.start())
            if head >= 0:
                found.update(DEFINED.findall(content, head, head + 200)[:1])
    return tuple(sorted(name.decode(errors="replace") for name in found))


def dialect_of(name: str) -> Dialect | None:
    """The language whose decorator a dotted name is, or None."""
    if name.endswith(LAST_WORDS):
        for dialect in DIALECTS:
            if dialect.spelling.search(name):
                return dialect
    return None
