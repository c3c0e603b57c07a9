"""A file of CUDA C++ in the pieces that stand at namespace level: what each defines, names, and says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kmaint.cpp.heads import kind_of, read_head, without_template
from kmaint.cpp.text import BLANK, DEFINE, DIRECTIVE, NOISE, CudaText, blank_noise, parse_text

ENDING = re.compile(r"[{};]")
WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
ALIAS = re.compile(r"\s*using\s+(\w+)\s*=")
UNNAMED = re.compile(r"\s*(?:using|friend|static_assert|asm)\b")
TYPE = re.compile(r"\s*(?:class|struct|union|enum(?:\s+(?:class|struct))?)\s+(\w+)\s*(?::[^:].*)?$", re.DOTALL)
EXPLICIT = re.compile(r"\s*template\s*(?!<)\w")
FOREIGN = re.compile(r"[^\x00-\x7f]")
TRAILING = re.compile(r"[ \t]*;?[ \t]*")

Kind = Literal["definition", "macro", "include", "other"]


class UnreadableError(Exception):
    """The text cannot be told apart into pieces; one line says why."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One definition, directive, or `#if` with all up to its `#endif`, which may define several names.

    `text` are its lines with the comment right above; `said` is the text without comments and line breaks, by which
    pieces are told apart. `scope` holds the heads of the namespaces around it. `at` is where what it defines begins,
    `begin` and `end` are where its lines do, as offsets.
    """

    kind: Kind
    names: frozenset[str]
    scope: tuple[str, ...]
    text: str
    said: str
    words: frozenset[str]
    begin: int
    at: int
    end: int

    @property
    def key(self) -> tuple[tuple[str, ...], str]:
        return self.scope, self.said


def read_pieces(text: str) -> list[Piece]:
    """In the order of the text. UnreadableError where namespaces and `#if` overlap, or a brace is left open."""
    reader = _Reader(text)
    found = list(reader.read(0, len(text)))
    if reader.scope:
        raise UnreadableError(f"{reader.scope[-1]} is never closed")
    return found


def reached(pieces: list[Piece], start: Piece) -> list[Piece]:
    """What a piece leads to by name, itself among it, in the order of the text."""
    defines: dict[str, list[Piece]] = {}
    for piece in pieces:
        for name in piece.names:
            defines.setdefault(name, []).append(piece)
    found, waiting = {id(start)}, [start]
    while waiting:
        one = waiting.pop()
        new = [other for word in one.words for other in defines.get(word, []) if id(other) not in found]
        found |= {id(other) for other in new}
        waiting += new
    return [piece for piece in pieces if id(piece) in found]


class _Reader:
    def __init__(self, text: str) -> None:
        plain = FOREIGN.sub("_", text)  # what is blanked is Latin
        self.text = text
        self.quiet = blank_noise(plain)
        self.source: CudaText = parse_text(plain)
        self.scope: list[str] = []
        self.plain = NOISE.sub(lambda one: one[0].translate(BLANK) if one[0][0] == "/" else one[0], plain)

    def read(self, start: int, end: int) -> Iterator[Piece]:
        position = start
        while (position := self._next(position, end)) < end:
            if self.quiet[position] == "#":
                piece = self._directive(position)
            else:
                found = self._statement(position, end)
                if isinstance(found, int):
                    position = found
                    continue
                piece = found
            yield piece
            position = piece.end

    def _next(self, position: int, end: int) -> int:
        """The first offset of something from here on."""
        while position < end and self.quiet[position].isspace():
            position += 1
        return position

    def _directive(self, at: int) -> Piece:
        match = DIRECTIVE.match(self.quiet, self.quiet.rfind("\n", 0, at) + 1)
        assert match
        word = match["word"]
        if word in ("if", "ifdef", "ifndef"):
            return self._conditional(at)
        if word == "define" and (named := DEFINE.match(self.quiet, match.start())):
            return self._piece("macro", {named["name"]}, at, match.end())
        return self._piece("include" if word == "include" else "other", set(), at, match.end())

    def _conditional(self, at: int) -> Piece:
        """All up to its `#endif`; each branch has to close what it opens."""
        depth, begin, names = 0, at, set[str]()
        for match in DIRECTIVE.finditer(self.quiet, self.quiet.rfind("\n", 0, at) + 1):
            word, start = match["word"], match.start()
            if depth == 1 and word in ("else", "elif", "elifdef", "elifndef", "endif"):
                scope = list(self.scope)
                names |= {name for piece in self.read(begin, start) for name in piece.names}
                if self.scope != scope:
                    raise UnreadableError("an #if holds one end of a namespace only")
            depth += {"if": 1, "ifdef": 1, "ifndef": 1, "endif": -1}.get(word, 0)
            if depth == 1:
                begin = match.end() if word in ("if", "ifdef", "ifndef", "else", "elif") else begin
            if depth == 0:
                return self._piece("definition" if names else "other", names, at, match.end())
        raise UnreadableError("an #if is never closed")

    def _statement(self, at: int, end: int) -> Piece | int:
        """A definition or declaration; where a namespace begins or ends, the offset behind that."""
        code = self.source.code
        ending = ENDING.search(code, at, end)
        if ending is None:
            return self._piece("other", set(), at, end)
        if ending[0] == "}":
            if not self.scope:
                raise UnreadableError("a brace is closed that was never opened")
            self.scope.pop()
            return ending.end()
        head = code[at : ending.start()]
        if ending[0] == ";":
            return self._named(self._declared(head, at, ending.start()), head, at, ending.end())
        kind, name = kind_of(head)
        if kind == "namespace":
            self.scope.append(" ".join(self.plain[at : ending.start()].split()))
            return ending.end()
        close = self.source.closing[ending.start()]
        if close >= end:
            raise UnreadableError(f"the braces behind {' '.join(head.split())[:60]!r} are never closed")
        if kind != "function" or "=" in without_template(head).partition("(")[0]:
            stop = code.find(";", close, end)
            named = name if kind == "class" else self._declared(head, at, ending.start())
            return self._named(named, head, at, stop + 1 if stop >= 0 else close + 1)
        return self._named(self._function(at, ending.start()), head, at, close + 1)

    def _function(self, at: int, end: int) -> str:
        """Its name; empty for a member of a class, and for what only a macro's name stands before."""
        found, _ = read_head(self.source.code, at, end)
        return found.name if found and not found.scope and not found.name.isupper() else ""

    def _declared(self, head: str, at: int, end: int) -> str:
        """What a statement without a body declares: an alias, a type, a function, or a variable."""
        plain = without_template(head)
        if alias := ALIAS.match(plain):
            return alias[1]
        if UNNAMED.match(plain) or EXPLICIT.match(head):
            return ""
        if declared := TYPE.match(plain):
            return declared[1]
        left = plain.partition("=")[0]
        if "(" in left:
            return self._function(at, end)
        words = WORD.findall(left.partition("[")[0])
        return words[-1] if len(words) > 1 else ""

    def _named(self, name: str, head: str, at: int, end: int) -> Piece:
        """A definition of that name; nothing to rely on where a directive cuts the head into branches."""
        whole = name and "#" not in self.quiet[at : at + len(head)]
        return self._piece("definition" if whole else "other", {name} if whole else set(), at, end)

    def _piece(self, kind: Kind, names: set[str], at: int, end: int) -> Piece:
        quiet, text = self.quiet, self.text
        begin = text.rfind("\n", 0, at) + 1
        while begin and not quiet[(above := text.rfind("\n", 0, begin - 1) + 1) : begin].strip():
            if not text[above:begin].strip():
                break
            begin = above
        behind = TRAILING.match(quiet, end)
        end = behind.end() if behind else end
        line = text.find("\n", end) + 1 or len(text)
        end = line if not quiet[end:line].strip() else end
        return Piece(
            kind=kind,
            names=frozenset(names),
            scope=tuple(self.scope),
            text=text[begin:end],
            said=" ".join(self.plain[at:end].replace("\\\n", " ").split()),
            words=frozenset(WORD.findall(quiet[at:end])),
            begin=begin,
            at=at,
            end=end,
        )
