"""The functions of a CUDA file that launch kernels, or hand one to what launches it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Set
from typing import NamedTuple

from extract.scan.cuda_outline import WORD, Function, Outline
from kmaint.cpp.heads import Head, read_head
from kmaint.cpp.text import CudaText, Macro

MENTION = re.compile(r"[A-Za-z_](?<![\w.].)\w*+(?=\s*(?:[,);:?}<]|$))", re.ASCII)  # first what `re` finds fastest
"""A kernel is launched or handed on: it is never called, assigned to, nor is a member taken of it."""
FEW = 64


class CudaHost(NamedTuple):
    """A host function that may launch: the names it `mentions` as kernels are mentioned, macros and constants followed.

    `launches` where its own text holds a launch; without one it may pass a kernel on. `callers` are the functions of
    its file that name it.
    """

    qualname: str
    line: int
    launches: bool
    mentions: tuple[str, ...]
    callers: tuple[str, ...]


class _Names(NamedTuple):
    """What a text names: every word, those that stand as a kernel stands, and whether it holds a launch."""

    words: set[str]
    mentions: set[str]
    launches: bool


def _names(text: str) -> _Names:
    return _Names(set(WORD.findall(text)), set(MENTION.findall(text)), may_launch(text))


def may_launch(text: str) -> bool:
    """Whether a text holds a launch, or a word about one: `LaunchKernel`, `cudaLaunchKernelEx`, `LAUNCH_GEMM`."""
    return "<<<" in text or "aunch" in text or "LAUNCH" in text


def read_hosts(source: CudaText, outline: Outline, heads: list[int], kernels: set[str]) -> list[CudaHost]:
    """The functions of the file that launch, or name a kernel of the file, and are not kernels themselves."""
    reading = _Reading(source, outline, _shorthand(source.macros, outline.constants), {})
    functions = [
        function
        for function in outline.functions
        if bisect_left(heads, function.head) == bisect_left(heads, function.body)
    ]
    hosts = [
        (head, names)
        for head, names in reading.naming(kernels, functions)
        if names.launches or not kernels.isdisjoint(names.mentions)
    ]
    users: dict[str, list[tuple[str, set[str]]]] = defaultdict(list)
    named = {head.name for head, _ in hosts}
    for head, names in reading.naming(named, functions):
        for name in named & names.words:
            users[name].append((outline.qualify(head), names.words))
    callers: dict[str, tuple[str, ...]] = {}
    for head, _ in hosts:
        if (qualname := outline.qualify(head)) not in callers:
            calling = {caller for caller, words in users[head.name] if _calls(caller, words, qualname)}
            callers[qualname] = tuple(sorted(calling))
    return [
        CudaHost(
            qualname=(qualname := outline.qualify(head)),
            line=source.line_of(head.offset),
            launches=names.launches,
            mentions=tuple(sorted(names.mentions)),
            callers=callers[qualname],
        )
        for head, names in hosts
    ]


def _calls(caller: str, words: set[str], host: str) -> bool:
    """Whether a function that names a host calls it: a short name such as `run` needs its class beside it."""
    scope = host.rpartition("::")[0]
    return caller != host and (not scope or caller.startswith(f"{scope}::") or scope.rpartition("::")[2] in words)


class _Reading(NamedTuple):
    """A file's text and outline, and what each macro and constant of it stands for."""

    source: CudaText
    outline: Outline
    shorthand: dict[str, list[_Names]]
    seen: dict[Function, tuple[Head, _Names] | None]

    def naming(self, targets: set[str], functions: list[Function]) -> Iterator[tuple[Head, _Names]]:
        """The host functions that may launch or name one of the targets, with all that they name."""
        telling = targets | self._leading_to(targets)
        for function in functions:
            text = self.source.code[function.body : function.end]
            if may_launch(text) or names_any(text, telling):
                if function not in self.seen:
                    self.seen[function] = self._read(function, text)
                if found := self.seen[function]:
                    yield found

    def _read(self, function: Function, text: str) -> tuple[Head, _Names] | None:
        if "__device__" in self.source.code[function.head : function.body]:
            return None
        head, _ = read_head(self.source.code, function.head, function.body)
        return (head, _expand(_names(text), self.shorthand)) if head else None

    def _leading_to(self, targets: set[str]) -> set[str]:
        """The macros and constants that launch or name one of the targets, directly or through others."""
        used_by: dict[str, set[str]] = defaultdict(set)
        found = set()
        for name, meanings in self.shorthand.items():
            for meaning in meanings:
                for word in meaning.words | meaning.mentions:
                    used_by[word].add(name)
                if meaning.launches:
                    found.add(name)
        pending = [*found, *targets]
        while pending:
            for name in used_by.pop(pending.pop(), ()):
                if name not in found:
                    found.add(name)
                    pending.append(name)
        return found


def names_any(text: str, names: Set[str]) -> bool:
    """Whether a text may name one; a longer word that contains it counts while they are few, and a search is faster."""
    return any(name in text for name in names) if len(names) <= FEW else not names.isdisjoint(WORD.findall(text))


def _shorthand(macros: tuple[Macro, ...], constants: dict[str, list[str]]) -> dict[str, list[_Names]]:
    """What a word stands for, where it is a macro or a constant; either may be defined more than once."""
    found: dict[str, list[_Names]] = {}
    for name, values in constants.items():
        found[name] = [_names(value) for value in values]
    for macro in macros:
        meaning, own = _names(macro.body), macro.parameters or ()
        meaning.words.difference_update(own)  # what these stand for is named where the macro is used
        meaning.mentions.difference_update(own)
        found.setdefault(macro.name, []).append(meaning)
    return found


def _expand(names: _Names, shorthand: dict[str, list[_Names]]) -> _Names:
    """The names of a text with those of every macro and constant in it, followed to the end."""
    words, mentions, launches = set(names.words), set(names.mentions), names.launches
    seen: set[str] = set()
    pending = words & shorthand.keys()
    while pending:
        seen |= pending
        added: set[str] = set()
        for word in pending:
            for inner in shorthand[word]:
                words |= inner.words
                mentions |= inner.mentions
                launches |= inner.launches
                added |= inner.words | inner.mentions
        pending = (added & shorthand.keys()) - seen
    return _Names(words, mentions, launches)
