"""Read one Python file: the kernels it defines, and what it does with those and with others that it imports.

Patterns over blanked text read nearly all of it, at a tenth of what parsing costs; a statement or a function is parsed
where a kernel is neither called, launched nor handed on by name, but chosen, bound, or returned.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from extract.names import dotted
from extract.scan.dialects import Dialect, dialect_of
from extract.scan.expressions import parse
from extract.scan.facts import Decorated, Named, PythonFacts, PythonKernel
from extract.scan.hosts import HostReading, read_host
from extract.scan.imports import Imports, read_imports
from extract.scan.masking import Source, depth_of, mentions
from extract.scan.outline import Scope, read_outline

DOTTED = re.compile(rb"[A-Za-z_\x80-\xff][\w.\x80-\xff]*+")
NAMED_DECORATOR = re.compile(
    rb"\n([A-Za-z_]\w*) *= *(?:(?:functools\.)?partial\(\s*)?([A-Za-z_][\w.]*\.(?:jit|kernel|prim_func))\s*[,)\n]"
)
"""`jit = triton.jit`, or with options: partial(triton.jit, noinline=True)."""
SUBSCRIPT_CALL = re.compile(rb"\]\s*+\(")
BEFORE_ARGUMENT = (b"(", b",", b"=")
NAME_BEFORE = re.compile(rb"(?:^|[^\w.\x80-\xff)\]}])([A-Za-z_\x80-\xff][\w.\x80-\xff]*)\s*$")
GENERICS = frozenset({"list", "dict", "set", "tuple", "frozenset", "type", "defaultdict", "deque", "OrderedDict"})
UNDECIDED = Dialect("triton", re.compile(""), is_entry=False)
AFTER_ARGUMENT = re.compile(rb"\s*+[,)]")
METHOD_CALL = re.compile(rb"(?<![\w.])([A-Za-z_]\w*+)\.(?:\w+\.)*+([A-Za-z_]\w*+)\(")
BASES = re.compile(rb"\s*+[\w\x80-\xff]+\s*+(?:\[[^\]]*\])?\s*+\(([^)]*)\)")
LAUNCH_METHODS = (".run", ".warmup")
OWN = ("self", "cls")
WITH_METHODS = frozenset({"gluon", "cute", "flydsl"})
"""Languages whose device code has methods, called on values of unknown type."""
MODULE = "<module>"
MAX_STATEMENT = 100_000
"""Bytes of the longest statement that is parsed: longer ones are tables of data."""


def read_python(source: Source, *, package: str, roots: frozenset[str], offered: frozenset[str]) -> PythonFacts:
    """Facts of one file.

    `offered` are names it imports that may be kernels, or lead to one. Of its imports, those are kept that begin with
    one of `roots`, the tree's own packages.
    """
    imports = read_imports(source.code, package)
    facts = _Reader(source, imports, offered).read()
    return facts._replace(
        imports={name: origin for name, origin in imports.names.items() if _root(origin) in roots},
        stars=[origin for origin in imports.stars if _root(origin) in roots],
    )


class _Reader:
    """One file. A host is a function or method that no other function encloses; what is inside belongs to it.

    `names` are those that may be kernels, or lead to one: they grow while aliases and factories of them are found.
    """

    def __init__(self, source: Source, imports: Imports, offered: frozenset[str]) -> None:
        self.source, self.code, self.imports = source, source.code, imports
        self.scopes = read_outline(source)
        self.outer = [scope for scope in self.scopes if not scope.is_inside_function]
        self.hosts = [scope for scope in self.outer if scope.kind == "def"]
        self.starts = [scope.start for scope in self.hosts]
        self.bodies = {scope.qualname: scope for scope in self.scopes if scope.kind == "def"}
        self.names = set(offered)
        self.decorators = {_decode(name): _decode(meant) for name, meant in NAMED_DECORATOR.findall(self.code)}
        self.compiled: list[tuple[Scope, PythonKernel]] = []
        self.by_call: list[tuple[Scope, PythonKernel]] = []
        self.seen: set[tuple[int, int]] = set()
        """Statements that have been read."""
        self.mentions: dict[int, list[int]] = defaultdict(list)
        self.subscripts = [match.start() for match in SUBSCRIPT_CALL.finditer(self.code)]
        self.uses: dict[int, set[str]] = defaultdict(set)
        self.readings: dict[str, HostReading] = {}
        self.facts = PythonFacts(source.is_whole, imports.names, imports.stars, {}, {}, [], [], {}, {}, {}, {}, {}, {})

    def read(self) -> PythonFacts:
        self._compilers()
        for scope in self.scopes:
            if scope.kind == "class" and not scope.is_inside_function:
                self.facts.classes[scope.qualname] = self._bases(scope)
            elif scope.decorators:
                self._decorated(scope)
        for at in list(self._compilations()):
            if self._host_at(at) is None:
                self._statement(at)
        for scope, kernel in self.compiled:
            self.names.add(scope.name if scope.is_inside_function else _root(kernel.qualname))
            if _owner(scope):
                self.names |= {f"{own}.{scope.name}" for own in OWN}
        self.names |= {_root(decorated.kernel.qualname) for decorated in self.facts.decorated}
        done: set[str] = set()
        while new := self.names - done:
            self._follow(new)
            done |= new
        self._own_launches()
        for scope in self.hosts:
            if found := self.readings.get(scope.qualname):
                self._keep(scope.qualname, found, _owner(scope))
        self._callers()
        return self._finished()

    # Definitions

    def _compilers(self) -> None:
        """A function that compiles a parameter of its own is a decorator."""
        hosts = [host for at in self._compilations() if (host := self._host_at(at))]
        for scope in {host.head: host for host in hosts}.values():
            parsed = parse(self._alone(scope))
            for dialect, wrapped in _compiled_in(parsed, self._dialect) if parsed else ():
                if f"{scope.qualname}.<locals>.{wrapped}" not in self.bodies and wrapped not in self.bodies:
                    self.facts.compilers[scope.qualname] = dialect.language
                    self.names.add(_root(scope.qualname))

    def _compilations(self) -> Iterator[int]:
        """Where a function is compiled by call, rather than by the decorator above it."""
        for word in (b"jit(", b"kernel("):
            at = self.code.find(word)
            while at >= 0:
                found = NAME_BEFORE.search(self.code, max(0, at - 100), at + len(word) - 1)
                if found and found[0][:1] != b"@" and self._dialect(_decode(found[1])):
                    yield found.start(1)
                at = self.code.find(word, at + 1)

    def _decorated(self, scope: Scope) -> None:
        names = [self._head_name(start, end) for start, end in scope.decorators]
        dialect = next((found for name in names if (found := self._dialect(name))), None)
        if dialect is not None:
            if dialect.language != "tilelang" or not self._is_inside_kernel(scope.head):
                self.compiled.append((scope, self._kernel(scope, dialect)))
            return
        own = tuple(name for name in names if name and _root(name) in self.names)
        if own:
            self.facts.decorated.append(Decorated(self._kernel(scope, UNDECIDED), own))

    def _kernel(self, scope: Scope, dialect: Dialect) -> PythonKernel:
        decorators = tuple(self._text(start, end) for start, end in scope.decorators)
        end_line = self.source.line(scope.end)
        return PythonKernel(scope.qualname, scope.line, end_line, dialect.language, dialect.is_entry, decorators, ())

    def _is_inside_kernel(self, at: int) -> bool:
        """A prim_func that a compiled factory makes is that factory's kernel, not another one."""
        return any(scope.head < at < scope.end for scope, _ in self.compiled)

    def _head_name(self, start: int, end: int) -> str:
        found = DOTTED.search(self.code, start, end)
        return _decode(found[0]) if found and not self.code[start : found.start()].strip() else ""

    def _dialect(self, name: str) -> Dialect | None:
        root, dot, rest = name.partition(".")
        origin = self.imports.names.get(self.decorators.get(root, root), self.decorators.get(root, root))
        return dialect_of(f"{origin}{dot}{rest}") or dialect_of(name)

    def _bases(self, scope: Scope) -> list[str]:
        found = BASES.match(self.code, scope.head + len("class"), scope.end)
        bases = [_decode(token) for token in DOTTED.findall(found[1])] if found else []
        if any(_root(base) in self.names for base in bases):
            self.names.add(_root(scope.qualname))
        return bases

    def _text(self, start: int, end: int) -> str:
        return self.source.text[start:end].decode(errors="replace")

    # Statements of the module and of its classes

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

    def _statement_around(self, at: int) -> tuple[Scope | None, int, int]:
        """The class, and the span of the logical line, that an offset outside functions stands in."""
        owner, start, end = self._gap_at(at)
        while True:
            last = _statement_end(self.code, start, end)
            if at < last or last >= end:
                return owner, start, last
            start = last

    def _statement(self, at: int) -> None:
        """Aliases, tables and wrappers that are made where no function is, and what a script launches."""
        owner, first, last = self._statement_around(at)
        if (first, last) in self.seen or last - first > MAX_STATEMENT:
            return
        self.seen.add((first, last))
        text = self.source.text[first:last].strip()
        parsed = parse(text + b" pass" if text.endswith(b":") else text)
        if parsed is None or not parsed.body or isinstance(parsed.body[0], (ast.Import, ast.ImportFrom)):
            return
        if self._compiled_by_call(parsed.body[0], owner, first, last):
            return
        found = read_host(parsed.body[0])
        prefix = f"{owner.qualname}." if owner else ""
        for name, values in found.bound.items():
            if any(_root(value) in self.names for value in values):
                _add(self.facts.aliases, f"{prefix}{name}", values)
                self.names.add(_root(f"{prefix}{name}"))
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
        for dialect, wrapped in _compiled_in(value, self._dialect):
            body = self.bodies.get(wrapped)
            if body is None or self._is_kernel(body):
                continue
            start = last - len(self.code[first:last].lstrip())
            kernel = self._kernel(body, dialect)._replace(
                qualname=f"{owner.qualname}.{name}" if owner else name,
                line=self.source.line(start),
                end_line=self.source.line(start + len(self.code[start:last].rstrip())),
                decorators=(self._text(start, last).partition("=")[2].strip(),),
            )
            self.by_call.append((body, kernel))
            self.names.add(_root(kernel.qualname))
            return True
        return False

    def _is_kernel(self, scope: Scope) -> bool:
        return any(scope is other for other, _ in self.compiled)

    # What is done with each name

    def _follow(self, names: set[str]) -> None:
        """Read every mention of some names: in kernels, in hosts, and between them."""
        touched: dict[int, Scope] = {}
        for name in names:
            for at in mentions(self.code, name.encode()):
                host = self._host_at(at)
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
            if any(_root(name) in self.names and "(" not in name for name in found.returns):
                self.names.add(_root(host.qualname))

    def _host_at(self, at: int) -> Scope | None:
        place = bisect_right(self.starts, at) - 1
        return self.hosts[place] if place >= 0 and at < self.hosts[place].end else None

    def _kernel_at(self, at: int) -> Scope | None:
        return next((scope for scope, _ in self.compiled if scope.start <= at < scope.end), None)

    def _use(self, kernel: Scope, at: int) -> None:
        if at >= kernel.head:
            name = self._name_at(at)
            if name != kernel.name:
                self.uses[kernel.head].add(name)

    def _name_at(self, at: int) -> str:
        found = DOTTED.match(self.code, at)
        return _decode(found[0]) if found else ""

    def _host(self, scope: Scope) -> HostReading:
        """What a host does with the names; its syntax tree decides where one is neither called nor handed on."""
        found = HostReading()
        is_parsed = False
        for at in self.mentions[scope.head]:
            name = self._name_at(at)
            end = at + len(name.encode())
            after = self.code[end : end + 1]
            if after == b"(":
                found.calls.add(name)
                if name.endswith(LAUNCH_METHODS):
                    found.launches.add(name.rpartition(".")[0])
            elif after == b"[":
                found.launches.add(name)
            elif (
                AFTER_ARGUMENT.match(self.code, end)
                and self.code[max(0, at - 200) : at].rstrip()[-1:] in BEFORE_ARGUMENT
            ):
                found.passed.add(name)
            else:
                is_parsed = True
        is_parsed = is_parsed or any(
            self._subscripted(scope, at) for at in self.subscripts if scope.start <= at < scope.end
        )
        if is_parsed and (parsed := parse(self._alone(scope))):
            found = self._of_interest(read_host(parsed))
        return found

    def _of_interest(self, found: HostReading) -> HostReading:
        def chosen(references: Iterable[str]) -> set[str]:
            return {name for name in references if _root(name) in self.names or _root(name) in OWN}

        bound = {name: values for name, values in found.bound.items() if _root(name) in OWN and chosen(values)}
        return HostReading(
            chosen(found.launches), chosen(found.passed), chosen(found.calls), chosen(found.returns), bound
        )

    def _subscripted(self, scope: Scope, at: int) -> bool:
        """Whether what is subscripted and then called is anything but one of the names."""
        start = _opening(self.code, scope.start, at)
        found = NAME_BEFORE.search(self.code, max(scope.start, start - 200), start)
        return found is None or (_root(_decode(found[1])) not in self.names and _decode(found[1]) not in GENERICS)

    def _alone(self, scope: Scope) -> bytes:
        """The text of a definition as a file of its own would hold it."""
        text = self.source.text[scope.start : scope.end].strip(b"\n ")
        return b"if 1:\n" + b" " * scope.indent + text if scope.indent else text

    def _own_launches(self) -> None:
        """Launches of `self.kernel`, which a class of another file may define."""
        for at in self.subscripts:
            if (host := self._host_at(at)) and (owner := _owner(host)):
                start = _opening(self.code, host.start, at)
                found = NAME_BEFORE.search(self.code, max(host.start, start - 200), start)
                if found and _root(_decode(found[1])) in OWN:
                    self.readings.setdefault(host.qualname, HostReading()).launches.add(_decode(found[1]))
                    self.names.add(_root(owner))

    def _keep(self, host: str, found: HostReading, owner: str) -> None:
        nested = {
            kernel.qualname.rpartition(".")[2]: kernel.qualname
            for _, kernel in self.compiled
            if kernel.qualname.startswith(f"{host}.<locals>.")
        }
        for name, values in found.bound.items():
            if owner and _root(name) in OWN:
                _add(self.facts.aliases, _of_class(name, owner), (_of_class(value, owner) for value in values))
        for kind in ("launches", "passed", "calls", "returns"):
            names = {nested.get(name, _of_class(name, owner)) for name in getattr(found, kind)}
            if names:
                _add(getattr(self.facts, kind), host, names)

    def _callers(self) -> None:
        """Who calls the hosts that matter, as far as this file tells."""
        for qualname in sorted({*self.facts.launches, *self.facts.passed, *self.facts.calls} - {MODULE}):
            owner, _, name = qualname.rpartition(".")
            wanted = (
                [b"self." + name.encode(), b"cls." + name.encode(), qualname.encode()] if owner else [name.encode()]
            )
            for spelled in wanted:
                for at in mentions(self.code, spelled):
                    host = self._host_at(at)
                    own = _owner(host) if host else ""
                    end = at + len(spelled)
                    if self.code[end : end + 1] != b"(" or (host and host.qualname == qualname) or self._kernel_at(at):
                        continue
                    if owner and spelled != qualname.encode() and own != owner:
                        continue
                    _add(self.facts.calls, host.qualname if host else MODULE, [qualname])

    def _finished(self) -> PythonFacts:
        compiled = [kernel._replace(uses=self._uses(scope, kernel)) for scope, kernel in self.compiled]
        compiled += (kernel._replace(uses=self._uses(scope, kernel)) for scope, kernel in self.by_call)
        compiled.sort(key=lambda kernel: (kernel.line, kernel.qualname))
        facts = self.facts
        told = {*facts.launches, *facts.passed, *facts.calls, *facts.returns, *facts.compilers}
        told |= {f"{_owner(scope)}.__call__" for scope, _ in self.compiled if _owner(scope)}
        for scope in self.hosts:
            if scope.qualname in told:
                facts.functions.setdefault(scope.qualname, scope.line)
        return facts._replace(kernels=list(_numbered(compiled)))

    def _uses(self, scope: Scope, kernel: PythonKernel) -> tuple[str, ...]:
        owner = _owner(scope)
        found = {_of_class(name, owner) for name in self.uses[scope.head]}
        if owner or kernel.language in WITH_METHODS:
            for match in METHOD_CALL.finditer(self.code, scope.head, scope.end):
                root, method = match[1].decode(errors="replace"), match[2].decode()
                if root in OWN and owner:
                    found.add(f"{owner}.{method}")
                elif root not in self.imports.names and kernel.language in WITH_METHODS:
                    found.add(f".{method}")
        return tuple(sorted(found))


def _compiled_in(node: ast.AST, dialect_of_name: Callable[[str], Dialect | None]) -> Iterator[tuple[Dialect, str]]:
    """What is compiled by call anywhere in some code: the language, and the name of the function."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Name):
            func = call.func
            while isinstance(func, ast.Call):
                func = func.func
            if dialect := dialect_of_name(dotted(func)):
                yield dialect, call.args[0].id


def _add(table: Named, key: str, names: Iterable[str]) -> None:
    table[key] = sorted({*table.get(key, ()), *names})


def _numbered(kernels: Iterable[PythonKernel]) -> Iterator[PythonKernel]:
    """Both arms of an if may define a name: the second is `name#2`."""
    seen: dict[str, int] = {}
    for kernel in kernels:
        count = seen[kernel.qualname] = seen.get(kernel.qualname, 0) + 1
        yield kernel._replace(qualname=f"{kernel.qualname}#{count}") if count > 1 else kernel


def _decode(name: bytes) -> str:
    return name.rstrip(b".").decode(errors="replace")


def _root(reference: str) -> str:
    return reference.partition(".")[0].removesuffix("()")


def _owner(scope: Scope) -> str:
    return scope.parent.qualname if scope.parent is not None and scope.parent.kind == "class" else ""


def _of_class(name: str, owner: str) -> str:
    root, _, rest = name.partition(".")
    return f"{owner}.{rest}" if owner and root in OWN and rest else name


def _statement_end(code: bytes, start: int, end: int) -> int:
    """The first line break outside brackets after an offset."""
    depth, last = 0, start
    while last < end:
        stop = code.find(b"\n", last + 1, end)
        stop = end if stop < 0 else stop
        depth += depth_of(code[last:stop])
        last = stop
        if depth <= 0:
            break
    return last


def _opening(code: bytes, start: int, at: int) -> int:
    """Where the bracket opens that closes at an offset; `start` where it does not."""
    depth = 0
    for index in range(at, start - 1, -1):
        byte = code[index]
        if byte in b")]}":
            depth += 1
        elif byte in b"([{":
            depth -= 1
            if not depth:
                return index
    return start
