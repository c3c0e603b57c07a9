"""CUDA source held in the string literals of a Python file."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from extract.scan.cuda import CudaFacts, CudaKernel, language_of, read_facts
from extract.scan.cuda_hosts import CudaHost
from kmaint.cpp.text import BLANK, line_ends, parse_text
from kmaint.records.kernel import Language

LITERAL = re.compile(
    r"(?P<comment>#[^\n]*)"
    r'|"""(?P<three>(?:[^"\\]+|\\.|"(?!""))*)(?:""")?'
    r"|'''(?P<three_single>(?:[^'\\]+|\\.|'(?!''))*)(?:''')?"
    r'|"(?P<one>(?:[^"\\\n]+|\\.)*)"?'
    r"|'(?P<one_single>(?:[^'\\\n]+|\\.)*)'?",
    re.DOTALL,
)
JOINED = re.compile(r"(?:\s|\\|#[^\n]*)*[rRbBuUfF]{0,2}")
"""What stands between two literals that Python takes for one."""
ESCAPE = re.compile(r"\\([^\n])")


class _Literal(NamedTuple):
    """Where the text of a literal, or of several that Python joins, begins, and that text without what joins it."""

    start: int
    text: str


def read_cuda_strings(text: bytes, relative: str) -> CudaFacts:
    """Facts of the CUDA in a Python file's strings, with the lines of that file."""
    if b"__global__" not in text:
        return CudaFacts()
    python = text.decode("latin-1")
    lines = line_ends(python)
    language: Language = "cuda"
    kernels: list[CudaKernel] = []
    hosts: list[CudaHost] = []
    for literal in _literals(python):
        before = bisect_right(lines, literal.start)
        end = literal.start + len(literal.text)
        own = line_ends(python[literal.start : end])  # not those of the literal, which may spell its newlines
        source = replace(parse_text(literal.text), lines=own)
        language = language_of(source, relative)
        facts = read_facts(source, language)
        kernels += (
            kernel._replace(line=before + kernel.line, end_line=before + kernel.end_line)
            for kernel in facts.kernels
            if kernel.role != "unknown"  # prose that speaks of a `__global__` function
        )
        hosts += (host._replace(line=before + host.line) for host in facts.hosts)
    return CudaFacts(language, tuple(kernels), tuple(hosts))


def _literals(python: str) -> Iterator[_Literal]:
    """The literals that hold the mark of a kernel."""
    spans: list[tuple[int, int]] = []
    after = 0
    for match in LITERAL.finditer(python):
        if match["comment"] is None:
            if spans and JOINED.fullmatch(python, after, match.start()) is None:
                yield from _joined(python, spans)
                spans = []
            spans.append(match.span(match.lastgroup or 0))
            after = match.end()
    yield from _joined(python, spans)


def _joined(python: str, spans: list[tuple[int, int]]) -> Iterator[_Literal]:
    if any("__global__" in python[start:end] for start, end in spans):
        pieces: list[str] = []
        position = spans[0][0]
        for start, end in spans:
            pieces += (python[position:start].translate(BLANK), ESCAPE.sub(_plain, python[start:end]))
            position = end
        yield _Literal(spans[0][0], "".join(pieces))


def _plain(escape: re.Match[str]) -> str:
    """As long as the escape, so that offsets stay."""
    return "\n " if escape[1] == "n" else f" {escape[1]}" if escape[1] in "\"'" else "  "
