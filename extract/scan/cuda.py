"""Read one CUDA or HIP file: the kernels it defines and declares, and the host functions that launch kernels.

No compiler and no grammar: both frameworks hold sources that parse only with the headers of one release of CUDA. The
facts of a file depend on its text and on `macros`, the tree's names for `__global__`, alone.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from extract.scan.cuda_heads import Ending, Head, kind_of, read_head, without_template
from extract.scan.cuda_text import CudaText, Macro, blank_noise, parse_text
from kmaint.records.kernel import Language, Role

SUFFIXES = frozenset({".cu", ".cuh", ".hip", ".h", ".hpp", ".hxx", ".cpp", ".cc", ".cxx", ".inl"})
WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
LAUNCH = re.compile(r"<<<|[lL]aunch(?!_bounds__)|LAUNCH")
MENTION = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?=\s*(?:[,);:?}<]|$))", re.ASCII)
"""A kernel is launched or handed on: it is never called, assigned to, nor is a member taken of it."""
ASSIGNED = re.compile(r"(?P<name>\w+)\s*(?:<[^=]*>)?\s*=(?!=)", re.ASCII)
ENDING = re.compile(r"[{};]")
DEFINE = re.compile(rb"^[ \t]*#[ \t]*define[ \t]+(\w+)(?:\([^()\n]*\))?((?:[^\\\n]+|\\\r?\n|\\)*)", re.MULTILINE)
HIP_PATH = re.compile(r"(?:^|[/_.])(?:rocm|hip|gfx\d\w*|[cr]dna\d*)(?=[/_.]|$)")
HEAD_LIMIT = 8192
"""Characters of the longest head that is read: a bound on broken text, four times what either framework holds."""
MAX_SCOPES = 32
ROLES: dict[str, Role] = {"{": "kernel", ";": "declaration", "": "unknown"}
"""By what ends the head."""


class CudaKernel(NamedTuple):
    """A `__global__` function, with the line of that word, or of the macro that stands for it."""

    name: str
    qualname: str
    line: int
    end_line: int
    role: Role


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


class CudaFacts(NamedTuple):
    """What one file says, in the order of its lines; `includes` as spelled."""

    language: Language = "cuda"
    kernels: tuple[CudaKernel, ...] = ()
    hosts: tuple[CudaHost, ...] = ()
    includes: tuple[str, ...] = ()


class _Function(NamedTuple):
    """A function with a body, and where its head, its name, and its body begin and end."""

    qualname: str
    head: int
    name: int
    body: int
    end: int


class _Outline(NamedTuple):
    """Where in a file each scope begins, its functions, and what its constants are made of."""

    scopes: list[tuple[int, str]]
    functions: list[_Function]
    constants: dict[str, set[str]]

    def qualify(self, head: Head) -> str:
        """The whole name of what is declared there; a nameless namespace adds nothing."""
        around = self.scopes[bisect_right(self.scopes, head.offset, key=itemgetter(0)) - 1][1]
        return "::".join(part for part in (around, head.scope, head.name) if part)


def prefix_macros(text: bytes) -> frozenset[str]:
    """Macros of a file that stand for `__global__` before a function: `#define TOPK_KERNEL __global__ ...`."""
    if b"__global__" not in text:
        return frozenset()
    bodies = {name.decode(): blank_noise(body.decode("latin-1")) for name, body in DEFINE.findall(text)}
    found: set[str] = set()
    pending = {"__global__"}
    while pending:
        pending = {
            name
            for name, body in bodies.items()
            if name not in found and pending & set(WORD.findall(body)) and read_head(body, 0, len(body))[0] is None
        }
        found |= pending
    return frozenset(found)


def read_cuda(text: bytes, relative: str, macros: frozenset[str] = frozenset()) -> CudaFacts:
    """Facts of a file of any of SUFFIXES; `macros` is the union of prefix_macros over the tree."""
    if not (
        b"__global__" in text or b"<<<" in text or b"aunch" in text or any(name.encode() in text for name in macros)
    ):
        return CudaFacts()
    source = parse_text(text.decode("latin-1"))  # a byte a character: offsets stay, and no text is refused
    return _facts(source, _language(source, relative), macros)


def _language(source: CudaText, relative: str) -> Language:
    is_hip = HIP_PATH.search(relative) or any(file.always and file.path.startswith("hip/") for file in source.includes)
    return "hip" if is_hip else "cuda"


def _facts(source: CudaText, language: Language, macros: frozenset[str]) -> CudaFacts:
    marker = re.compile(rf"\b(?:{'|'.join(['__global__', *sorted(macros)])})\b", re.ASCII)
    outline = _read_outline(source)
    kernels = [*_kernels(source, outline, marker), *_macro_kernels(source)]
    heads = [match.start() for match in marker.finditer(source.code)]
    return CudaFacts(
        language,
        tuple(sorted(kernels, key=lambda kernel: kernel.line)),
        tuple(_hosts(source, outline, heads, {kernel.name for kernel in kernels})),
        tuple(file.path for file in source.includes),
    )


def _kernels(source: CudaText, outline: _Outline, marker: re.Pattern[str]) -> Iterator[CudaKernel]:
    marks = [(match.start(), match.end()) for match in marker.finditer(source.code)]
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
        for match in re.finditer(r"\b__global__\b", macro.body):
            head, ending = read_head(macro.body, match.end(), len(macro.body))
            if head is not None:
                end = macro.start + (_closing(macro.body, ending.offset) if ending.mark == "{" else ending.offset)
                line = source.line_of(macro.start + match.start())
                yield CudaKernel(head.name, head.name, line, source.line_of(end), "unknown")


def _closing(body: str, start: int) -> int:
    depth = 0
    for brace in re.compile(r"[{}]").finditer(body, start):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return brace.start()
    return len(body.rstrip())


def _read_outline(source: CudaText) -> _Outline:
    """Walk what stands outside function bodies, which are stepped over whole."""
    code = source.code
    outline = _Outline([(0, "")], [], {})
    around: list[str] = []
    begin = position = 0
    while match := ENDING.search(code, position):
        position = match.end()
        begin = max(begin, match.start() - HEAD_LIMIT)
        head = code[begin : match.start()]
        if match[0] == "{":
            close = source.closing[match.start()]
            if head.count("(") > head.count(")"):  # a default argument
                position = close + 1
                continue
            kind, name = kind_of(head)
            if kind in ("namespace", "class"):
                around.append(
                    "::".join(part for part in (*around[-1:], name) if part) if name else "".join(around[-1:])
                )
                outline.scopes.append((match.start(), around[min(len(around), MAX_SCOPES) - 1]))
            else:
                position = close + 1
                if not _note_constant(outline, code[begin : min(close, begin + HEAD_LIMIT)]) and kind == "function":
                    _note_function(outline, code, (begin, match.start(), close))
        elif match[0] == ";":
            _note_constant(outline, head)
        elif around:
            around.pop()
            outline.scopes.append((match.start(), around[-1] if around else ""))
        begin = position
    return outline


def _note_constant(outline: _Outline, statement: str) -> bool:
    """Remember of `auto kernel = f<1>` what it names. False where the statement is no such thing."""
    statement = without_template(statement)
    match = ASSIGNED.search(statement)
    if match is None or "(" in statement[: match.start()]:
        return False
    outline.constants.setdefault(match["name"], set()).update(MENTION.findall(statement, match.end()))
    return True


def _note_function(outline: _Outline, code: str, span: tuple[int, int, int]) -> None:
    begin, body, end = span
    head, _ = read_head(code, begin, body)
    if head is not None:
        outline.functions.append(_Function(outline.qualify(head), begin, head.offset, body, end))


class _Names(NamedTuple):
    """What a text names: every word, those that stand as a kernel stands, and whether it holds a launch."""

    words: set[str]
    mentions: set[str]
    launches: bool


def _names(text: str) -> _Names:
    return _Names(set(WORD.findall(text)), set(MENTION.findall(text)), LAUNCH.search(text) is not None)


def _hosts(source: CudaText, outline: _Outline, heads: list[int], kernels: set[str]) -> list[CudaHost]:
    """The functions of the file that are no kernels and launch, or name a kernel of the file."""
    shorthand = _shorthand(source.macros, outline.constants)
    functions = [
        (function, _expand(_names(source.code[function.body : function.end]), shorthand))
        for function in outline.functions
        if bisect_left(heads, function.head) == bisect_left(heads, function.body)
    ]
    users: dict[str, set[str]] = defaultdict(set)
    for function, names in functions:
        for word in names.words:
            users[word].add(function.qualname)
    return [
        CudaHost(
            qualname=function.qualname,
            line=source.line_of(function.name),
            launches=names.launches,
            mentions=tuple(sorted(names.mentions)),
            callers=tuple(sorted(users[function.qualname.rpartition("::")[2]] - {function.qualname})),
        )
        for function, names in functions
        if names.launches or names.mentions & kernels
    ]


def _shorthand(macros: tuple[Macro, ...], constants: dict[str, set[str]]) -> dict[str, list[_Names]]:
    """What a word stands for, where it is a macro or a constant; macros may be defined more than once."""
    found: dict[str, list[_Names]] = {name: [_Names(set(), named, False)] for name, named in constants.items()}
    for macro in macros:
        found.setdefault(macro.name, []).append(_names(macro.body))
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
