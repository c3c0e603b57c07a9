"""A winner in CUDA C++ under names of its own: what it changed or added, and what leads there from the operator."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from kmaint.cpp.text import blank_noise
from reintegrate.kinds.cuda.layout import realigned
from reintegrate.kinds.cuda.operator import Operator
from reintegrate.kinds.cuda.pieces import FOREIGN, WORD, Piece, reached
from reintegrate.kinds.win import Declined

UNDEFINED = re.compile(r"^[ \t]*#[ \t]*undef[ \t]+(\w+)", re.MULTILINE)
QUALIFIER = re.compile(r"(\w+|>)\s*::\s*$", re.ASCII)
PLAIN = ("static", "inline", "template")


@dataclass(frozen=True, kw_only=True)
class CudaVariant:
    """What stands above the operator: `source`, with the operator's own variant `symbol` last in it.

    `names` are all that it defines, `includes` are lines that it needs, each with the piece that they stood behind.
    """

    source: str
    symbol: str
    names: tuple[str, ...]
    includes: tuple[tuple[Piece | None, str], ...]


@dataclass(frozen=True)
class Sides:
    """A file as it was shipped and as the winner has it."""

    before: list[Piece]
    after: list[Piece]

    def changed(self) -> list[Piece]:
        known = {piece.key for piece in self.before}
        return [piece for piece in self.after if piece.key not in known]


@dataclass(frozen=True, kw_only=True)
class Naming:
    """What names of the variant end in, how wide its lines are, and names that headers define.

    Of those a file cannot have a variant of its own.
    """

    suffix: str
    columns: int
    elsewhere: frozenset[str]


def cuda_variant(sides: Sides, operator: Operator, naming: Naming) -> CudaVariant | Declined:
    """The definitions on the way from the operator to what was changed, each with the suffix to its name."""
    changed = sides.changed()
    if strange := next((one for one in changed if not one.names and one.kind != "include"), None):
        return Declined(f"it changes {_shown(strange)}, which is no definition that could stand there twice")
    homes = [one for one in sides.after if one.names == operator.piece.names and one.scope == operator.piece.scope]
    home = homes[0] if len(homes) == 1 else None
    if home is None:
        return Declined(f"the winner defines {operator.symbol} {len(homes)} times")
    way = _way(sides.after, home, changed)
    if not any(one in changed for one in way):
        return Declined(f"nothing that it changes is reached from {operator.symbol}")
    if doubt := _doubt(sides, way, home, operator) or _taken(way, naming.elsewhere):
        return Declined(doubt)
    names = {name: f"{name}_{naming.suffix}" for one in way for name in sorted(one.names)}
    spaces = {scope.split()[-1] for one in sides.after for scope in one.scope}
    try:
        source = _source(way, home, _Renaming(names, spaces, naming.columns))
    except _MemberError as error:
        return Declined(f"{error} is a member's name too, so it cannot be renamed")
    return CudaVariant(
        source=source,
        symbol=names[operator.symbol],
        names=tuple(names.values()),
        includes=tuple(_includes(sides, changed)),
    )


class _MemberError(Exception):
    """The name that is one."""


def _way(pieces: list[Piece], home: Piece, changed: Sequence[Piece]) -> list[Piece]:
    """What leads from the operator to changes, with all of the same name: overloads go together."""
    inside = reached(pieces, home)
    leads = [one for one in inside if one is home or any(other in changed for other in reached(pieces, one))]
    names = {name for one in leads for name in one.names}
    return [one for one in inside if one.names & names]


def _doubt(sides: Sides, way: Sequence[Piece], home: Piece, operator: Operator) -> str:
    """Why these pieces cannot be put above the operator; empty where they can."""
    at = {id(piece): index for index, piece in enumerate(sides.after)}
    if late := next((one for one in way if at[id(one)] > at[id(home)]), None):
        return f"{_shown(late)} stands behind the operator"
    if apart := next((one for one in way if one.scope[: len(operator.piece.scope)] != operator.piece.scope), None):
        return f"{_shown(apart)} stands outside the operator's namespace"
    places = {piece.key: piece for piece in sides.before}
    rest = [one for one in reached(sides.after, home) if one not in way and one.key in places]
    if below := next((one for one in rest if places[one.key].begin > operator.piece.begin), None):
        return f"{_shown(below)} was moved above the operator"
    words = frozenset().union(*(one.words for one in way))
    every = [*sides.before, *sides.after]
    gone = {name for one in every for name in UNDEFINED.findall(one.text)}
    twice = _defined_twice(sides.before) | _defined_twice(sides.after)
    if macro := next(iter(sorted(words & (gone | twice))), ""):
        return f"the macro {macro} is not the same all through the file"
    pasted = next((one for one in way if "##" in blank_noise(one.text)), None)
    return f"{_shown(pasted)} puts names together by ##" if pasted else ""


def _defined_twice(pieces: Sequence[Piece]) -> set[str]:
    """Macros that are, other than under the branches of one `#if`."""
    counts = Counter(name for one in pieces if one.kind == "macro" for name in one.names)
    return {name for name, count in counts.items() if count > 1}


def _taken(way: Sequence[Piece], elsewhere: frozenset[str]) -> str:
    names = sorted({name for one in way for name in one.names} & elsewhere)
    return f"{names[0]} is defined in a header as well" if names else ""


def _shown(piece: Piece) -> str:
    return next(iter(sorted(piece.names)), "") or repr(piece.said[:60])


def _includes(sides: Sides, changed: Iterable[Piece]) -> Iterable[tuple[Piece | None, str]]:
    """The lines of added includes, each with the shipped piece that it stands behind in the winner."""
    places = {piece.key: piece for piece in sides.before}
    last: Piece | None = None
    for piece in sides.after:
        if piece.kind == "include" and piece in changed:
            yield last, piece.text
        elif piece.key in places:
            last = places[piece.key]


@dataclass(frozen=True)
class _Renaming:
    """New names by the old ones, the file's namespaces, and how wide lines may be."""

    names: Mapping[str, str]
    spaces: set[str]
    columns: int


def _source(way: Sequence[Piece], home: Piece, renaming: _Renaming) -> str:
    """The pieces in the order of the winner, each in its namespaces, as seen from the operator's."""
    depth = len(home.scope)
    blocks: list[str] = []
    for scope, group in groupby(way, key=lambda one: one.scope[depth:]):
        body = "\n".join(_renamed(one, renaming, own=one is home) for one in group)
        opened = "".join(f"{head} {{\n" for head in scope)
        closed = "".join(f"}}  // {head}\n" for head in reversed(scope))
        blocks.append(f"{opened}\n{body}\n{closed}" if scope else body)
    return "\n".join(blocks)


def _renamed(piece: Piece, renaming: _Renaming, *, own: bool) -> str:
    """The piece's lines under its new names; the operator, which no header declares by that one, for this file only."""
    text = renamed(piece.text, renaming.names, renaming.spaces)
    at = piece.at - piece.begin
    if own and not piece.said.startswith((*PLAIN, "struct", "class")) and "namespace" not in piece.scope:
        text = f"{text[:at]}static {text[at:]}"
    return realigned(piece.text, text, renaming.columns)


def renamed(text: str, names: Mapping[str, str], spaces: set[str]) -> str:
    """The text with each use of a name replaced, but in comments and strings, and behind other namespaces."""
    quiet = blank_noise(FOREIGN.sub("_", text))
    parts: list[str] = []
    position = 0
    for found in WORD.finditer(quiet):
        qualified = QUALIFIER.search(quiet, max(0, found.start() - 80), found.start())
        if found[0] not in names or (qualified and qualified[1] not in spaces):
            continue
        if quiet[: found.start()].rstrip().endswith((".", "->")):
            raise _MemberError(found[0])
        parts += (text[position : found.start()], names[found[0]])
        position = found.end()
    return "".join([*parts, text[position:]])
