"""Read one CUDA or HIP file: the kernels it defines and declares, and the host functions that launch kernels.

No compiler and no grammar: both frameworks hold sources that parse only with the headers of one release of CUDA. The
facts of a file depend on its text and on `macros`, the tree's names for `__global__`, alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from extract.scan.cuda_hosts import FEW, CudaHost, may_launch, names_any, read_hosts
from extract.scan.cuda_outline import WORD, Outline, read_outline
from kmaint.cpp.heads import Ending, read_head
from kmaint.cpp.text import CudaText, Macro, blank_noise, parse_text
from kmaint.records.kernel import Language, Role

SUFFIXES = frozenset({".cu", ".cuh", ".hip", ".h", ".hpp", ".hxx", ".cpp", ".cc", ".cxx", ".inl"})
DEFINE = re.compile(rb"^[ \t]*#[ \t]*define[ \t]+(\w+)(\([^()\n]*\))?((?:[^\\\n]+|\\\r?\n|\\)*)", re.MULTILINE)
INCLUDE = re.compile(r"""#[ \t]*include[ \t]*["<]([^">\n]+)[">]""")
HIP_PATH = re.compile(r"(?:^|[/_.])(?:rocm|hip|gfx\d\w*|[cr]dna\d*)(?=[/_.]|$)")
ROLES: dict[str, Role] = {"{": "kernel", ";": "declaration", "": "unknown"}
"""By what ends the head."""


class CudaKernel(NamedTuple):
    """A `__global__` function, with the line of that word, or of the macro that stands for it.

    `given` are its names where a macro defines it that takes the name as an argument.
    """

    name: str
    qualname: str
    line: int
    end_line: int
    role: Role
    given: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What it is launched by."""
        return self.given or (self.name,)


class CudaFacts(NamedTuple):
    """What one file says, in the order of its lines; `includes` as spelled."""

    language: Language = "cuda"
    kernels: tuple[CudaKernel, ...] = ()
    hosts: tuple[CudaHost, ...] = ()
    includes: tuple[str, ...] = ()


def prefix_macros(text: bytes) -> frozenset[str]:
    """Macros of a file that stand for `__global__` before a function: `#define TOPK_KERNEL __global__ ...`."""
    if b"__global__" not in text:
        return frozenset()
    used_by: dict[str, list[str]] = defaultdict(list)
    for name, parameters, spelled in DEFINE.findall(text):
        body = blank_noise(spelled.decode("latin-1"))
        words = set(WORD.findall(body))
        if _is_prefix(body, parameters.decode("latin-1")):
            for word in words:
                used_by[word].append(name.decode())
    found: set[str] = set()
    pending = ["__global__"]
    while pending:
        for name in used_by.pop(pending.pop(), ()):
            if name not in found:
                found.add(name)
                pending.append(name)
    return frozenset(found)


def _is_prefix(body: str, parameters: str) -> bool:
    """Whether a macro names no function of its own: what looks like one may be a macro for launch bounds."""
    head, ending = read_head(body, 0, len(body))
    return head is None or (head.name.isupper() and not ending.mark and head.name not in WORD.findall(parameters))


def read_cuda(text: bytes, relative: str, macros: frozenset[str] = frozenset()) -> CudaFacts:
    """Facts of a file of any of SUFFIXES; `macros` is the union of prefix_macros over the tree."""
    code = text.decode("latin-1")  # a byte a character: offsets stay, and no text is refused
    includes = tuple(INCLUDE.findall(code))
    if not ("__global__" in code or may_launch(code) or names_any(code, macros)):
        return CudaFacts(includes=includes)
    source = parse_text(code)
    others = macros & {macro.name for macro in source.macros}
    if others:
        others -= prefix_macros(text)
    return read_facts(source, language_of(source, relative), macros - others)._replace(includes=includes)


def language_of(source: CudaText, relative: str) -> Language:
    """HIP where the path says so, or the file includes its headers under no condition."""
    is_hip = HIP_PATH.search(relative) or any(file.always and file.path.startswith("hip/") for file in source.includes)
    return "hip" if is_hip else "cuda"


def read_facts(source: CudaText, language: Language, macros: frozenset[str] = frozenset()) -> CudaFacts:
    """Facts of a text that is already parsed."""
    marks = _marks(source.code, macros | {"__global__"})
    if not (marks or may_launch(source.code) or source.macros):
        return CudaFacts(language)
    outline = read_outline(source)
    kernels = [*_kernels(source, outline, marks), *_macro_kernels(source)]
    return CudaFacts(
        language,
        tuple(sorted(kernels, key=lambda kernel: kernel.line)),
        tuple(
            read_hosts(
                source, outline, [start for start, _ in marks], {name for kernel in kernels for name in kernel.names}
            )
        ),
    )


def _marks(code: str, names: frozenset[str]) -> list[tuple[int, int]]:
    """Where one of the words stands, and where it ends."""
    if len(names) > FEW:
        return [match.span() for match in WORD.finditer(code) if match[0] in names]
    # Written to begin with a literal, which `re` finds many times faster than a boundary.
    patterns = [rf"{name}(?<!\w{name})\b" for name in names if name in code]
    return sorted(match.span() for pattern in patterns for match in re.finditer(pattern, code, re.ASCII))


def _kernels(source: CudaText, outline: Outline, marks: list[tuple[int, int]]) -> Iterator[CudaKernel]:
    ending = Ending("", len(source.code))
    for (start, after), (following, _) in reversed(list(pairwise([*marks, (len(source.code), 0)]))):
        head, own = read_head(source.code, after, following)
        if own.mark:
            ending = own  # else: two heads, by the branches of an `#if`, share what follows
        if head is None:
            continue
        end = source.closing[ending.offset] if ending.mark == "{" else ending.offset
        yield CudaKernel(
            name=head.name,
            qualname=outline.qualify(head),
            line=source.line_of(start),
            end_line=source.line_of(min(end, len(source.code))),
            role="unknown" if source.is_unused(start) else ROLES[ending.mark],
        )


def _macro_kernels(source: CudaText) -> Iterator[CudaKernel]:
    """Kernels that a macro defines, under the name it spells: a parameter, or one pasted together."""
    for macro in source.macros:
        if "__global__" not in macro.body or _is_prefix(macro.body, " ".join(macro.parameters or ())):
            continue
        for match in re.finditer(r"\b__global__\b", macro.body):
            head, ending = read_head(macro.body, match.end(), len(macro.body))
            if head is not None:
                end = macro.start + (_closing(macro.body, ending.offset) if ending.mark == "{" else ending.offset)
                line = source.line_of(macro.start + match.start())
                given = tuple(_given(source, macro, head.name))
                role: Role = "kernel" if given and ending.mark == "{" else "unknown"
                yield CudaKernel(head.name, head.name, line, source.line_of(end), role, given)


def _given(source: CudaText, macro: Macro, parameter: str) -> Iterator[str]:
    """The words that a file gives a macro for one of its parameters."""
    if parameter not in (macro.parameters or ()):
        return
    place = (macro.parameters or ()).index(parameter)
    for match in re.finditer(rf"\b{macro.name}\s*\(", source.code):
        arguments = _arguments(source.code, match.end())
        if place < len(arguments) and WORD.fullmatch(arguments[place]) and not source.is_unused(match.start()):
            yield arguments[place]


def _arguments(code: str, start: int) -> list[str]:
    """What stands between the commas of a call whose bracket is open."""
    found, depth, begin = [], 0, start
    for mark in re.compile(r"[(),;]").finditer(code, start):
        if mark[0] == ";" or (depth == 0 and mark[0] != "("):
            found.append(code[begin : mark.start()].strip())
            begin = mark.end()
            if mark[0] != ",":
                break
        depth += {"(": 1, ")": -1}.get(mark[0], 0)
    return found


def _closing(body: str, start: int) -> int:
    depth = 0
    for brace in re.compile(r"[{}]").finditer(body, start):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return brace.start()
    return len(body.rstrip())
