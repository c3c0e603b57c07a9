"""The outline of a C++ file: its namespaces and classes, its functions, and the constants beside them."""

from __future__ import annotations

import re
from bisect import bisect_right
from operator import itemgetter
from typing import NamedTuple

from kmaint.cpp.heads import Head, kind_of, without_template
from kmaint.cpp.text import CudaText

WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
POINTER = re.compile(r"\(\s*\*\s*(?P<name>\w+)\s*\)")
ENDING = re.compile(r"[{};]")
CONSTRUCTOR = re.compile(r"\)\s*(?:noexcept\s*)?:(?!:)")
HEAD_LIMIT = 8192
"""Characters of the longest head that is read: a bound on broken text, four times what either framework holds."""
MAX_SCOPES = 32
"""Namespaces within namespaces that a name tells of: a bound on broken text as well."""


class Function(NamedTuple):
    """A function with a body: where its head, its body, and the body's end stand."""

    head: int
    body: int
    end: int


class Outline(NamedTuple):
    """Where in a file each scope begins, its functions, and the words of what its constants are made of."""

    scopes: list[tuple[int, str]]
    functions: list[Function]
    constants: dict[str, list[str]]

    def qualify(self, head: Head) -> str:
        """The whole name of what is declared there; a nameless namespace adds nothing."""
        around = self.scopes[bisect_right(self.scopes, head.offset, key=itemgetter(0)) - 1][1]
        return "::".join(part for part in (around, head.scope, head.name) if part)


def read_outline(source: CudaText) -> Outline:
    """Walk what stands outside function bodies, which are stepped over whole."""
    code = source.code
    outline = Outline([(0, "")], [], {})
    around: list[str] = []
    begin = position = 0
    while match := ENDING.search(code, position):
        position = match.end()
        begin = max(begin, match.start() - HEAD_LIMIT)
        head = code[begin : match.start()]
        if match[0] == "{":
            close = source.closing[match.start()]
            if head.count("(") > head.count(")") or _is_member(head):
                position = close + 1
                continue
            kind, name = kind_of(head)
            if kind in ("namespace", "class"):
                around.append(_nest(around, name))
                outline.scopes.append((match.start(), around[-1]))
            else:
                position = close + 1
                if not _note_constant(outline, code[begin : min(close, begin + HEAD_LIMIT)]) and kind == "function":
                    outline.functions.append(Function(begin, match.start(), close))
        elif match[0] == ";":
            _note_constant(outline, head)
        elif around:
            around.pop()
            outline.scopes.append((match.start(), around[-1] if around else ""))
        begin = position
    return outline


def _is_member(head: str) -> bool:
    """Whether a brace behind this head initialises a member of a constructor, whose body has a space before it."""
    return (head[-1:].isalnum() or head[-1:] in "_>") and CONSTRUCTOR.search(head) is not None


def _nest(around: list[str], name: str) -> str:
    """The whole name of a scope within those around it; a nameless one adds nothing."""
    outer = around[-1] if around else ""
    return "::".join(part for part in (outer, name) if part) if len(around) < MAX_SCOPES else outer


def _note_constant(outline: Outline, statement: str) -> bool:
    """Remember of `auto kernel = f<1>` what it names. False where the statement is no such thing."""
    if "=" not in statement:
        return False
    named, _, value = without_template(statement).partition("=")
    pointer = POINTER.search(named)
    words = WORD.findall(pointer["name"] if pointer else named.partition("<")[0])
    if not words or ("(" in named and not pointer):
        return False
    outline.constants.setdefault(words[-1], []).append(value)
    return True
