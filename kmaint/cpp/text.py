"""C++ text as a reader without a compiler needs it: comments, strings and directives blanked, every offset kept."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

NOISE = re.compile(
    r"//(?:[^\\\n]+|\\\r?\n|\\)*"
    r"|/\*(?:.*?\*/|.*)"
    r'|"(?<=R")(?P<fence>[^\s()\\"]{0,16})\((?:.*?\)(?P=fence)"|.*)'
    r'|"(?:[^"\\\n]+|\\.)*"?'
    # A quote after a hexadecimal digit separates digits: 1'000'000.
    r"|'(?<![0-9A-Fa-f]')(?:[^'\\\n]|\\[^\n]{1,9}?)'",
    re.DOTALL,
)
"""Each alternative begins with a literal, which lets `re` skip what is none of them, and none can fail twice over."""

DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(?P<word>\w*)(?:[^\\\n]+|\\\r?\n|\\)*", re.MULTILINE)
DEFINE = re.compile(r"[ \t]*#[ \t]*define\s+(?P<name>\w+)(?P<parameters>\([^()]*\))?", re.ASCII)
NEVER = re.compile(r"[ \t]*#[ \t]*if\s+(?:0|false)\s*$")
INCLUDED = re.compile(r"""["<]([^">\n]+)[">]""")
BRACE = re.compile(r"[{}]")
BLANK = {code: " " for code in range(256) if chr(code) != "\n"}

ALIAS_DEPTH = 8
"""Braces that the branches of one `#if` leave open: the most in both frameworks is two."""


@dataclass(frozen=True, slots=True)
class Macro:
    """A `#define`, its body without comments; `start` is the body's offset in the file."""

    name: str
    parameters: tuple[str, ...] | None
    body: str
    start: int


@dataclass(frozen=True, slots=True)
class Include:
    """A file as an `#include` spells it; `always` where it stands under no `#if`."""

    path: str
    always: bool


@dataclass(frozen=True, slots=True)
class CudaText:
    """`code` is the text with comments, strings and directives blanked; `closing` maps each `{` to its `}`.

    `unused` are the spans under `#if 0`. A brace that is never closed is closed by the end of the text.
    """

    code: str
    macros: tuple[Macro, ...]
    includes: tuple[Include, ...]
    unused: tuple[tuple[int, int], ...]
    closing: dict[int, int]
    lines: list[int]
    """Where each line ends, its newline included."""

    def line_of(self, offset: int) -> int:
        """Counted from 1."""
        return bisect_right(self.lines, offset) + 1

    def is_unused(self, offset: int) -> bool:
        return any(start <= offset < end for start, end in self.unused)


def blank_noise(text: str) -> str:
    """The text with comments, strings and characters blanked."""
    return NOISE.sub(lambda match: match[0].translate(BLANK), text)


def line_ends(text: str) -> list[int]:
    """Offsets behind each newline, and one past the end of the text."""
    return list(accumulate(map((1).__add__, map(len, text.split("\n")))))


def parse_text(text: str) -> CudaText:
    """Takes any text, C++ or not, in linear time."""
    quiet = blank_noise(text)
    macros: list[Macro] = []
    includes: list[Include] = []
    branches: list[tuple[int, str]] = []
    unused: list[tuple[int, int]] = []
    nesting: list[int | None] = []
    pieces: list[str] = []
    position = 0
    for match in _directives(quiet):
        pieces += (quiet[position : match.start()], match[0].translate(BLANK))
        position = match.end()
        word, start = match["word"], match.start()
        if word == "define" and (define := DEFINE.match(quiet, start, match.end())):
            macros.append(_macro(quiet, define, match.end()))
        elif word == "include" and (included := INCLUDED.search(text, start, match.end())):
            includes.append(Include(included[1], always=not nesting))
        elif word in ("if", "ifdef", "ifndef"):
            nesting.append(start if NEVER.match(match[0]) else None)
            branches.append((start, "if"))
        elif word in ("else", "elif", "elifdef", "elifndef", "endif") and nesting:
            if (opened := nesting.pop()) is not None:
                unused.append((opened, start))
            if word != "endif":
                nesting.append(None)
            branches.append((start, "endif" if word == "endif" else "else"))
    code = "".join([*pieces, quiet[position:]])
    return CudaText(
        code=code,
        macros=tuple(macros),
        includes=tuple(includes),
        unused=tuple(unused),
        closing=_pair_braces(code, branches),
        lines=line_ends(text),
    )


def _directives(quiet: str) -> Iterator[re.Match[str]]:
    """As `DIRECTIVE.finditer`, which would try every character, where `find` knows at memory's speed which are `#`."""
    at = quiet.find("#")
    while at >= 0:
        match = DIRECTIVE.match(quiet, quiet.rfind("\n", 0, at) + 1)
        if match:
            yield match
        at = quiet.find("#", match.end() if match else at + 1)


def _macro(quiet: str, define: re.Match[str], end: int) -> Macro:
    parameters = define["parameters"]
    named = None if parameters is None else tuple(name.strip(" \t\r\n\\") for name in parameters[1:-1].split(","))
    return Macro(define["name"], named, quiet[define.end() : end], define.end())


@dataclass(slots=True)
class _Open:
    """An open brace and the one around it; as a chain, a branch of an `#if` can return to where it began."""

    offset: int
    outer: _Open | None


@dataclass(slots=True)
class _Branches:
    """The braces open before an `#if`, and those that its first branch left open."""

    before: _Open | None
    first: _Open | None
    is_first: bool = True


def _pair_braces(code: str, branches: list[tuple[int, str]]) -> dict[int, int]:
    """Every branch of an `#if` begins at the depth of the first, and what follows goes on from the first one's end."""
    closing: dict[int, int] = {}
    twins: list[tuple[int, int]] = []
    top: _Open | None = None
    pending: list[_Branches] = []
    for offset, what in _events(code, branches):
        if what == "{":
            top = _Open(offset, top)
            closing[offset] = len(code)
        elif what == "}":
            if top is not None:
                closing[top.offset] = offset
                top = top.outer
        elif what == "if":
            pending.append(_Branches(top, top))
        else:
            group = pending[-1]
            if group.is_first:
                group.first, group.is_first = top, False
            else:
                twins += _twins(group.first, top)
            top = group.before
            if what == "endif":
                top = pending.pop().first
    for first, other in twins:
        if closing[other] == len(code):
            closing[other] = closing[first]
    return closing


def _events(code: str, branches: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Braces and conditional directives in the order of the text."""
    position = 0
    for offset, what in [*branches, (len(code), "")]:
        for match in BRACE.finditer(code, position, offset):
            yield match.start(), match[0]
        if what:
            yield offset, what
        position = offset


def _twins(first: _Open | None, other: _Open | None) -> Iterator[tuple[int, int]]:
    """Braces that two branches each leave open for one `}` to close: two heads over one body."""
    for _ in range(ALIAS_DEPTH):
        if first is None or other is None or first is other:
            return
        yield first.offset, other.offset
        first, other = first.outer, other.outer
