"""Read one Python file: the kernels it defines, and what it does with those and with others that it imports.

Patterns over blanked text read nearly all of it, at a tenth of what parsing costs; a statement or a function is parsed
where a kernel is neither called, launched nor handed on by name, but chosen, bound, or returned.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from extract.scan.brackets import opening_of
from extract.scan.compiling import compiled_in, compilers_of
from extract.scan.dialects import Dialect
from extract.scan.expressions import parse
from extract.scan.facts import Decorated, Named, PythonFacts, PythonKernel
from extract.scan.hosts import HostReading, bound_by_partial, read_host
from extract.scan.masking import calls_of, ends_with, mentions
from extract.scan.naming import MODULE, OWN, decoded, of_class, owner_of, root_of
from extract.scan.outline import Scope
from extract.scan.python_file import DOTTED, NAME_BEFORE, PythonFile

BEFORE_ARGUMENT = (b"(", b",", b"=")
GENERICS = frozenset({"list", "dict", "set", "tuple", "frozenset", "type", "defaultdict", "deque", "OrderedDict"})
UNDECIDED = Dialect("triton", re.compile(""), is_entry=False)
AFTER_ARGUMENT = re.compile(rb"\s*+[,)]")
METHOD_CALL = re.compile(rb"([A-Za-z_](?<![\w.].)\w*+)\.(?:\w+\.)*+([A-Za-z_]\w*+)\(")
BASES = re.compile(rb"\s*+[\w\x80-\xff]+\s*+(?:\[[^\]]*\])?\s*+\(([^)]*)\)")
LAUNCH_METHODS = (".run", ".warmup")
WITH_METHODS = frozenset({"gluon", "cute", "flydsl"})
"""Languages whose device code has methods, called on values of unknown type."""
BELOW = ".fn"
"""The attribute of a kernel that is the function below its decorator."""
MAX_STATEMENT = 100_000
"""Bytes of the longest statement that is parsed: longer ones are tables of data."""


def read_python(file: PythonFile, *, roots: frozenset[str], offered: frozenset[str]) -> PythonFacts:
    """Facts of one file.

    `offered` are names it imports that may be kernels, or lead to one. Of its imports, those are kept that begin with
    one of `roots`, the tree's own packages.
    """
    imports = file.imports
    facts = _Reader(file, offered).read()
    return facts._replace(
        imports={name: origin for name, origin in imports.names.items() if root_of(origin) in roots},
        stars=[origin for origin in imports.stars if root_of(origin) in roots],
    )


class _Reader:
    """What one file does with kernels.

    `names` are those that may be kernels, or lead to one: they grow while aliases and factories of them are found.
    """

    def __init__(self, file: PythonFile, offered: frozenset[str]) -> None:
        self.file = file
        self.names = set(offered)
        self.compiled: list[tuple[Scope, PythonKernel]] = []
        self.by_call: list[tuple[Scope, PythonKernel]] = []
        self.nested: set[str] = set()
        """Those of `compiled` that stand in functions."""
        self.seen: set[tuple[int, int]] = set()
        """Statements that have been read."""
        self.mentions: dict[int, list[int]] = defaultdict(list)
        self.uses: dict[int, set[str]] = defaultdict(set)
        self.readings: dict[str, HostReading] = {}
        self.facts = PythonFacts(file.source.is_whole, {}, [], {}, {}, [], [], {}, {}, {}, {}, {}, {}, [])

    def read(self) -> PythonFacts:
        self.facts.compilers.update(compilers_of(self.file))
        self.names |= set(map(root_of, self.facts.compilers))
        for scope in self.file.scopes:
            if scope.kind == "class" and not scope.is_inside_function:
                self.facts.classes[scope.qualname] = self._bases(scope)
            elif scope.decorators:
                self._decorated(scope)
        for at in self.file.compilations:
            if self.file.host_at(at) is None:
                self._statement(at)
        for scope, kernel in self.compiled:
            if scope.is_inside_function:
                self.nested.add(kernel.qualname)
            self.names.add(scope.name if scope.is_inside_function else root_of(kernel.qualname))
            if owner_of(scope):
                self.names |= {f"{own}.{scope.name}" for own in OWN}
        self.names |= {root_of(decorated.kernel.qualname) for decorated in self.facts.decorated}
        done: set[str] = set()
        while new := self.names - done:
            self._follow(new)
            done |= new
        self._own_launches()
        for scope in self.file.hosts:
            if found := self.readings.get(scope.qualname):
                self._keep(scope.qualname, found, owner_of(scope))
        self._callers()
        return self._finished()

    # Definitions

    def _decorated(self, scope: Scope) -> None:
        names = [self.file.head_name(start, end) for start, end in scope.decorators]
        dialect = next((found for name in names if (found := self.file.dialect(name))), None)
        if dialect is not None:
            if dialect.language != "tilelang" or not self._is_inside_kernel(scope.head):
                self.compiled.append((scope, self._kernel(scope, dialect)))
            return
        own = tuple(name for name in names if name and root_of(name) in self.names)
        if own:
            self.facts.decorated.append(Decorated(self._kernel(scope, UNDECIDED), own))

    def _kernel(self, scope: Scope, dialect: Dialect) -> PythonKernel:
        decorators = tuple(self.file.text(start, end) for start, end in scope.decorators)
        end_line = scope.line + self.file.source.text.count(b"\n", scope.head, scope.end)
        return PythonKernel(scope.qualname, scope.line, end_line, dialect.language, dialect.is_entry, decorators, ())

    def _is_inside_kernel(self, at: int) -> bool:
        """A prim_func that a compiled factory makes is that factory's kernel, not another one."""
        return any(scope.head < at < scope.end for scope, _ in self.compiled)

    def _bases(self, scope: Scope) -> list[str]:
        found = BASES.match(self.file.code, scope.head + len("class"), scope.end)
        bases = [decoded(token) for token in DOTTED.findall(found[1])] if found else []
        if any(root_of(base) in self.names for base in bases):
            self.names.add(root_of(scope.qualname))
        return bases

    # Statements of the module and of its classes

    def _statement(self, at: int) -> None:
        """Aliases, tables and wrappers that are made where no function is, and what a script launches."""
        owner, first, last = self.file.statement_around(at)
        if (first, last) in self.seen or last - first > MAX_STATEMENT:
            return
        self.seen.add((first, last))
        text = self.file.source.text[first:last].strip()
        parsed = parse(text + b" pass" if text.endswith(b":") else text)
        if parsed is None or not parsed.body or isinstance(parsed.body[0], (ast.Import, ast.ImportFrom)):
            return
        if self._compiled_by_call(parsed.body[0], owner, first, last):
            return
        if b"partial(" in text:
            self.facts.bound.extend(found for found in bound_by_partial(parsed) if root_of(found[2]) in self.names)
        found = read_host(parsed.body[0])
        prefix = f"{owner.qualname}." if owner else ""
        for name, values in found.bound.items():
            if any(root_of(value) in self.names for value in values):
                _add(self.facts.aliases, f"{prefix}{name}", values)
                self.names.add(root_of(f"{prefix}{name}"))
        self._keep(owner.qualname if owner else MODULE, self._of_interest(found), owner.qualname if owner else "")

    def _compiled_by_call(self, node: ast.stmt, owner: Scope | None, first: int, last: int) -> bool:
        """`kernel = triton.jit(options)(function)`: a kernel under the name it is given, where it is given."""
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.expr() as value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                return False
        for dialect, wrapped in compiled_in(value, self.file.dialect):
            body = self.file.bodies.get(wrapped.removesuffix(BELOW))
            if body is None or (self._is_kernel(body) and not wrapped.endswith(BELOW)):
                continue
            start = last - len(self.file.code[first:last].lstrip())
            kernel = self._kernel(body, dialect)._replace(
                qualname=f"{owner.qualname}.{name}" if owner else name,
                line=self.file.source.line(start),
                end_line=self.file.source.line(start + len(self.file.code[start:last].rstrip())),
                decorators=(self.file.text(start, last).partition("=")[2].strip(),),
            )
            self.by_call.append((body, kernel))
            self.names.add(root_of(kernel.qualname))
            return True
        return False

    def _is_kernel(self, scope: Scope) -> bool:
        return any(scope is other for other, _ in self.compiled)

    # What is done with each name

    def _follow(self, names: set[str]) -> None:
        """Read every mention of some names: in kernels, in hosts, and between them."""
        touched: dict[int, Scope] = {}
        for name in names:
            for at in mentions(self.file.code, name.encode()):
                host = self.file.host_at(at)
                kernel = self._kernel_at(at)
                if kernel is not None:
                    self._use(kernel, at)
                elif host is not None:
                    self.mentions[host.head].append(at)
                    touched[host.head] = host
                else:
                    self._statement(at)
        for host in touched.values():
            found = self._host(host)
            self.readings[host.qualname] = found
            if any(root_of(name) in self.names and "(" not in name for name in found.returns):
                self.names.add(root_of(host.qualname))

    def _kernel_at(self, at: int) -> Scope | None:
        """The innermost around an offset."""
        return next((scope for scope, _ in reversed(self.compiled) if scope.start <= at < scope.end), None)

    def _use(self, kernel: Scope, at: int) -> None:
        if at >= kernel.head:
            name = self.file.name_at(at)
            if name != kernel.name:
                self.uses[kernel.head].add(name)

    def _host(self, scope: Scope) -> HostReading:
        """What a host does with the names; its syntax tree decides where one is neither called nor handed on."""
        found = HostReading()
        is_parsed = False
        for at in self.mentions[scope.head]:
            name = self.file.name_at(at)
            end = at + len(name.encode())
            after = self.file.code[end : end + 1]
            if after == b"(":
                found.calls.add(name)
                if name.endswith(LAUNCH_METHODS):
                    found.launches.add(name.rpartition(".")[0])
                is_parsed = is_parsed or self.file.is_result_called(scope, at, end)
            elif after == b"[":
                found.launches.add(name)
            elif (
                AFTER_ARGUMENT.match(self.file.code, end)
                and self.file.code[max(0, at - 200) : at].rstrip()[-1:] in BEFORE_ARGUMENT
            ):
                if not self.file.is_imported(scope, at):
                    found.passed.add(name)
            else:
                is_parsed = True
        is_parsed = is_parsed or any(
            self._subscripted(scope, at) for at in self.file.subscripts if scope.start <= at < scope.end
        )
        if is_parsed and (reading := self.file.reading(scope)):
            found = self._of_interest(reading)
        return found

    def _of_interest(self, found: HostReading) -> HostReading:
        def chosen(references: Iterable[str]) -> set[str]:
            return {name for name in references if root_of(name) in self.names or root_of(name) in OWN}

        bound = {name: values for name, values in found.bound.items() if root_of(name) in OWN and chosen(values)}
        return HostReading(
            chosen(found.launches), chosen(found.passed), chosen(found.calls), chosen(found.returns), bound
        )

    def _subscripted(self, scope: Scope, at: int) -> bool:
        """Whether what is subscripted and then called is anything but one of the names."""
        start = opening_of(self.file.code, scope.start, at)
        found = NAME_BEFORE.search(self.file.code, max(scope.start, start - 200), start)
        return found is None or (root_of(decoded(found[1])) not in self.names and decoded(found[1]) not in GENERICS)

    def _own_launches(self) -> None:
        """Launches of `self.kernel`, which a class of another file may define."""
        for at in self.file.subscripts:
            if (host := self.file.host_at(at)) and (owner := owner_of(host)):
                start = opening_of(self.file.code, host.start, at)
                found = NAME_BEFORE.search(self.file.code, max(host.start, start - 200), start)
                if found and root_of(decoded(found[1])) in OWN:
                    self.readings.setdefault(host.qualname, HostReading()).launches.add(decoded(found[1]))
                    self.names.add(root_of(owner))

    def _launch_nested(self) -> None:
        """A kernel for the host that a compiled function beside it launches is launched by the host around both."""
        entries = {kernel.qualname for _, kernel in self.compiled if kernel.is_entry}
        for scope, kernel in self.compiled:
            host = self.file.host_at(scope.head)
            if host is None or kernel.is_entry or not scope.is_inside_function:
                continue
            meant = {name: self._nested(name, scope) or name for name in self.uses[scope.head]}
            if launched := entries.intersection(meant.values()):
                _add(self.facts.calls, host.qualname, launched)
                self.uses[scope.head] = {name for name, found in meant.items() if found == name or found not in entries}

    def _nested(self, name: str, user: Scope) -> str:
        """The compiled function that a name means inside another, where both stand in one function."""
        around: Scope | None = user if self.nested else None
        while around is not None:
            if (found := f"{around.qualname}.<locals>.{name}") in self.nested and around.kind == "def":
                return found
            around = around.parent
        return ""

    def _keep(self, host: str, found: HostReading, owner: str) -> None:
        nested = {
            kernel.qualname.rpartition(".")[2]: kernel.qualname
            for _, kernel in self.compiled
            if kernel.qualname.startswith(f"{host}.<locals>.")
        }
        for name, values in found.bound.items():
            if owner and root_of(name) in OWN:
                _add(self.facts.aliases, of_class(name, owner), (of_class(value, owner) for value in values))
        for kind in ("launches", "passed", "calls", "returns"):
            names = {nested.get(name, of_class(name, owner)) for name in getattr(found, kind)}
            if names:
                _add(getattr(self.facts, kind), host, names)

    def _callers(self) -> None:
        """Who calls the hosts that matter, as far as this file tells."""
        for qualname in sorted({*self.facts.launches, *self.facts.passed, *self.facts.calls} - {MODULE}):
            owner, _, name = qualname.rpartition(".")
            by_self = [f"{own}.{name}".encode() for own in OWN] if owner else []
            for end in calls_of(self.file.code, name.encode()):
                host = self.file.host_at(end)
                if (host and host.qualname == qualname) or self._kernel_at(end):
                    continue
                is_own = host is not None and owner_of(host) == owner
                if ends_with(self.file.code, end, [qualname.encode(), *(by_self if is_own else ())]):
                    _add(self.facts.calls, host.qualname if host else MODULE, [qualname])

    def _finished(self) -> PythonFacts:
        self._launch_nested()
        compiled = [kernel._replace(uses=self._uses(scope, kernel)) for scope, kernel in self.compiled]
        compiled += (kernel._replace(uses=self._uses(scope, kernel)) for scope, kernel in self.by_call)
        compiled.sort(key=lambda kernel: (kernel.line, kernel.qualname))
        facts = self.facts
        told = {*facts.launches, *facts.passed, *facts.calls, *facts.returns, *facts.compilers}
        told |= {f"{owner_of(scope)}.__call__" for scope, _ in self.compiled if owner_of(scope)}
        for scope in self.file.hosts:
            if scope.qualname in told:
                facts.functions.setdefault(scope.qualname, scope.line)
        return facts._replace(kernels=list(_numbered(compiled)))

    def _uses(self, scope: Scope, kernel: PythonKernel) -> tuple[str, ...]:
        owner = owner_of(scope)
        found = {self._nested(name, scope) or of_class(name, owner) for name in self.uses[scope.head]}
        if owner or kernel.language in WITH_METHODS:
            for match in METHOD_CALL.finditer(self.file.code, scope.head, scope.end):
                root, method = match[1].decode(errors="replace"), match[2].decode()
                if root in OWN and owner:
                    found.add(f"{owner}.{method}")
                elif root not in self.file.imports.names and kernel.language in WITH_METHODS:
                    found.add(f".{method}")
        return tuple(sorted(found))


def _add(table: Named, key: str, names: Iterable[str]) -> None:
    table[key] = sorted({*table.get(key, ()), *names})


def _numbered(kernels: Iterable[PythonKernel]) -> Iterator[PythonKernel]:
    """Both arms of an if may define a name: the second is `name#2`."""
    seen: dict[str, int] = {}
    for kernel in kernels:
        count = seen[kernel.qualname] = seen.get(kernel.qualname, 0) + 1
        yield kernel._replace(qualname=f"{kernel.qualname}#{count}") if count > 1 else kernel
