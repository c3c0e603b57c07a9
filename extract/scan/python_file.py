"""One Python file as the reader of its kernels looks at it: where each definition and each statement stands."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from functools import cached_property

from extract.names import dotted
from extract.scan.brackets import depth_of, statement_end
from extract.scan.dialects import Dialect, dialect_of
from extract.scan.expressions import parse
from extract.scan.hosts import HostReading, read_host
from extract.scan.imports import read_imports
from extract.scan.masking import Source, calls_of
from extract.scan.naming import MODULE, decoded
from extract.scan.outline import Scope, read_outline

DOTTED = re.compile(rb"[A-Za-z_\x80-\xff][\w.\x80-\xff]*+")
NAMED_DECORATOR = re.compile(
    rb"\n([A-Za-z_]\w*+) *+= *+(?:(?:functools\.)?partial\(\s*)?([A-Za-z_][\w.]*\.(?:jit|kernel|prim_func))\s*[,)\n]"
)
"""`jit = triton.jit`, or with options: partial(triton.jit, noinline=True)."""
COMPILES = (re.compile(rb"jit\("), re.compile(rb"kernel\("))
"""Apart, since `re` finds fixed text at memory's speed."""
SUBSCRIPT_CALL = re.compile(rb"\]\s*+\(")
NAME_BEFORE = re.compile(rb"(?:^|[^\w.\x80-\xff)\]}])([A-Za-z_\x80-\xff][\w.\x80-\xff]*)\s*$")

IMPORTED = re.compile(rb"import[ \t]++(?:\([\w\s,]*+|[\w ,.]*+)")
"""What precedes a name in the import statement that it stands in."""
RESULT = re.compile(rb"\n *+([A-Za-z_]\w*+) = \Z")
FAR = 20_000
"""Bytes between two places of a host that belong together: a bound on what is searched for each name."""


class PythonFile:
    """A host is a function or method that no other function encloses; what is inside belongs to it."""

    def __init__(self, source: Source, package: str) -> None:
        self.source, self.code = source, source.code
        self.imports = read_imports(source.code, package)
        self.scopes = read_outline(source)
        self.outer = [scope for scope in self.scopes if not scope.is_inside_function]
        self.hosts = [scope for scope in self.outer if scope.kind == "def"]
        self.starts = [scope.start for scope in self.hosts]
        self.bodies = {scope.qualname: scope for scope in self.scopes if scope.kind == "def"}
        self.subscripts = [match.start() for match in SUBSCRIPT_CALL.finditer(self.code)]
        self._readings: dict[int, HostReading | None] = {}
        self.decorators = {decoded(name): decoded(meant) for name, meant in NAMED_DECORATOR.findall(self.code)}

    @cached_property
    def compilations(self) -> list[int]:
        """Where a function is compiled by call, rather than by the decorator above it."""
        return [
            found.start(1)
            for calls in COMPILES
            for call in calls.finditer(self.code)
            if (found := self._compilation(call))
        ]

    def _compilation(self, call: re.Match[bytes]) -> re.Match[bytes] | None:
        """The whole name before the bracket of a call, where that compiles."""
        found = NAME_BEFORE.search(self.code, max(0, call.start() - 100), call.end() - 1)
        return found if found and found[0][:1] != b"@" and self.dialect(decoded(found[1])) else None

    def head_name(self, start: int, end: int) -> str:
        found = DOTTED.search(self.code, start, end)
        return decoded(found[0]) if found and not self.code[start : found.start()].strip() else ""

    def dialect(self, name: str) -> Dialect | None:
        root, dot, rest = name.partition(".")
        origin = self.imports.names.get(self.decorators.get(root, root), self.decorators.get(root, root))
        return dialect_of(f"{origin}{dot}{rest}") or dialect_of(name)

    def host_at(self, at: int) -> Scope | None:
        place = bisect_right(self.starts, at) - 1
        return self.hosts[place] if place >= 0 and at < self.hosts[place].end else None

    def around(self, at: int) -> str:
        """The qualified name of the host that an offset stands in."""
        host = self.host_at(at)
        return host.qualname if host else MODULE

    def _gap_at(self, at: int) -> tuple[Scope | None, int, int]:
        """The class around an offset that stands in no function, and the code around it without definitions."""
        owner, start, end = None, 0, len(self.code)
        for scope in self.outer:
            if scope.start < at < scope.end:
                owner, start, end = scope, scope.head, scope.end
            elif scope.end <= at:
                start = max(start, scope.end)
            elif scope.start > at:
                end = min(end, scope.start)
                break
        return owner, start, end

    def statement_around(self, at: int) -> tuple[Scope | None, int, int]:
        """The class, and the span of the logical line, that an offset outside functions stands in."""
        owner, start, end = self._gap_at(at)
        line = self.code.rfind(b"\n", start, at)
        if line > start and not depth_of(self.code[start:line]):
            start = line
        while True:
            last = statement_end(self.code, start, end)
            if at < last or last >= end:
                return owner, start, last
            start = last

    def name_at(self, at: int) -> str:
        found = DOTTED.match(self.code, at)
        return decoded(found[0]) if found else ""

    def is_result_called(self, scope: Scope, at: int, end: int) -> bool:
        """Whether what a call returns is called, at once or by a name: what was called chooses a kernel."""
        code = self.code
        if code.startswith(b"()(", end):
            return True
        if code[at - 2 : at] != b"= " or not (named := RESULT.search(code, max(scope.head, at - 100), at)):
            return False
        return next(calls_of(code[end : min(scope.end, end + FAR)], named[1]), None) is not None

    def is_imported(self, scope: Scope, at: int) -> bool:
        """Whether a name stands in an import statement of a host."""
        start = self.code.rfind(b"import", max(scope.head, at - FAR), at)
        return start >= 0 and IMPORTED.fullmatch(self.code, start, at) is not None

    def text(self, start: int, end: int) -> str:
        return self.source.text[start:end].decode(errors="replace")

    def reading(self, scope: Scope) -> HostReading | None:
        """What a host does, by its syntax tree: read once, however many names are looked for in it."""
        if scope.head not in self._readings:
            parsed = parse(self.alone(scope))
            self._readings[scope.head] = read_host(parsed, self._is_kernel) if parsed else None
        return self._readings[scope.head]

    def _is_kernel(self, node: ast.FunctionDef) -> bool:
        """Whether one of its decorators compiles a function."""
        return any(
            self.dialect(dotted(found.func if isinstance(found, ast.Call) else found)) for found in node.decorator_list
        )

    def alone(self, scope: Scope) -> bytes:
        """The text of a definition as a file of its own would hold it."""
        text = self.source.text[scope.start : scope.end].strip(b"\n ")
        return b"if 1:\n" + b" " * scope.indent + text if scope.indent else text
