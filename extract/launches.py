"""What one Python file says of Triton kernels: definitions, launches, calls, and the names they go by.

Nothing is resolved here: a name is kept as it is written, as a dotted reference (`pkg.kernel`, and `make()` for what a
call of `make` returns), and extract.scan follows it through the imports of all files.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from extract.names import absolute, dotted

JIT = re.compile(r"(?:^|\.)(?P<owner>triton|gluon)(?:\.runtime)?(?:\.jit)?\.jit$")
"""Dotted names that mean the decorator, whatever module handed `triton` on."""

LAUNCH_METHODS = frozenset({"run", "warmup"})
LEAVES = frozenset({ast.Constant, ast.Load, ast.Store, ast.Pass, ast.alias})
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
References = frozenset[str]


@dataclass(frozen=True, slots=True)
class Definition:
    """A function as its file defines it; `decorators` are source text. `jit` is the decorator's owner, or empty."""

    qualname: str
    line: int
    end_line: int
    jit: str = ""
    decorators: tuple[str, ...] = ()
    uses: References = frozenset()


@dataclass(slots=True)
class ModuleFacts:
    """Everything that linking needs of one file."""

    path: str
    module: str
    package: str
    imports: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    functions: dict[str, Definition] = field(default_factory=dict)
    kernels: list[Definition] = field(default_factory=list)
    aliases: dict[str, References] = field(default_factory=dict)
    returns: dict[str, References] = field(default_factory=dict)
    launches: dict[str, References] = field(default_factory=dict)
    passed: dict[str, References] = field(default_factory=dict)
    """Names handed to a call: a kernel among them is launched by whoever receives it."""
    calls: dict[str, References] = field(default_factory=dict)


def read_facts(source: bytes, *, path: str, module: str) -> ModuleFacts:
    """Parse one file. SyntaxError or ValueError where it is no Python of ours (its encoding included)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes are the framework's business
        parsed = ast.parse(source)
    package = module if path.endswith("__init__.py") else module.rpartition(".")[0]
    facts = ModuleFacts(path, module, package)
    _Reader(facts, source.splitlines()).read(parsed)
    return facts


def references(node: ast.expr | None) -> Iterator[str]:
    """What an expression may evaluate to, as far as names tell: both arms of a choice, every value of a table."""
    match node:
        case ast.Name(id=name):
            yield name
        case ast.Attribute() if name := dotted(node):
            yield name
        case ast.Attribute(value=value) | ast.Subscript(value=value) | ast.NamedExpr(value=value):
            yield from references(value)
        case ast.IfExp(body=body, orelse=orelse):
            yield from references(body)
            yield from references(orelse)
        case ast.Dict(values=items) | ast.BoolOp(values=items) | ast.Tuple(elts=items) | ast.List(elts=items):
            for item in items:
                yield from references(item)
        case ast.Call(func=func, args=arguments):
            yield from _called(func)
            for argument in arguments:
                yield from references(argument)
        case _:
            return


def _called(func: ast.expr) -> Iterator[str]:
    if name := dotted(func):
        yield f"{name}()"
    if isinstance(func, ast.Attribute) and func.attr == "get":  # {16: a, 32: b}.get(width)
        yield from references(func.value)


class _Reader:
    """One pass over a module; `host` is the outermost function or method that a statement stands in."""

    def __init__(self, facts: ModuleFacts, lines: list[bytes]) -> None:
        self.facts, self.lines = facts, lines

    def read(self, parsed: ast.Module) -> None:
        self._block(parsed.body, prefix="")
        self._jit_by_call(parsed)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        """The first binding of a name counts: what follows is the `except ImportError` of it, or a function's own."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                self.facts.imports.setdefault(alias.asname or name, name)
            return
        origin = absolute(self.facts.package, node)
        for alias in node.names:
            if alias.name == "*":
                self.facts.stars.append(origin)
            else:
                self.facts.imports.setdefault(alias.asname or alias.name, f"{origin}.{alias.name}")

    def _block(self, body: Iterable[ast.stmt], *, prefix: str) -> None:
        """Statements of a module or of a class, also those inside its if, try and with."""
        for node in body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._function(node, prefix=prefix)
                case ast.ClassDef():
                    self._block(node.body, prefix=f"{prefix}{node.name}.")
                case ast.Import() | ast.ImportFrom():
                    self._import(node)
                case ast.Assign() | ast.AnnAssign() | ast.Expr():
                    self._host([node], host=prefix.rstrip(".") or "<module>", prefix=prefix, level="module")
                case _:
                    self._block((child for child in _children(node) if isinstance(child, ast.stmt)), prefix=prefix)
                    for handler in getattr(node, "handlers", ()):
                        self._block(handler.body, prefix=prefix)

    def _function(self, node: FunctionNode, *, prefix: str) -> None:
        if jit := self._jit_owner(node):
            self._kernel(node, f"{prefix}{node.name}", jit)
            return
        qualname = f"{prefix}{node.name}"
        self.facts.functions[qualname] = Definition(qualname, node.lineno, node.end_lineno or node.lineno)
        self._host([node], host=qualname, prefix=prefix, level="function")

    def _kernel(self, node: FunctionNode, qualname: str, jit: str) -> None:
        known = sum(kernel.qualname.partition("#")[0] == qualname for kernel in self.facts.kernels)
        unique = f"{qualname}#{known + 1}" if known else qualname  # both arms of an if may define it
        self.facts.kernels.append(
            Definition(
                unique,
                node.lineno,
                node.end_lineno or node.lineno,
                jit,
                tuple(self._text(decorator) for decorator in node.decorator_list),
                frozenset(_names_used(node)),
            )
        )

    def _jit_owner(self, node: FunctionNode) -> str:
        return next((owner for d in node.decorator_list if (owner := self._means_jit(d))), "")

    def _means_jit(self, decorator: ast.expr) -> str:
        while isinstance(decorator, ast.Call):
            decorator = decorator.func
        name = dotted(decorator)
        if not name:
            return ""
        root, _, rest = name.partition(".")
        target = self.facts.imports.get(root, root)
        found = JIT.search(f"{target}.{rest}" if rest else target) or JIT.search(name)
        return found["owner"] if found else ""

    def _text(self, node: ast.expr) -> str:
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        if first == last:
            return self.lines[first][node.col_offset : node.end_col_offset].decode(errors="replace")
        middle = self.lines[first + 1 : last]
        pieces = [self.lines[first][node.col_offset :], *middle, self.lines[last][: node.end_col_offset]]
        return b"\n".join(pieces).decode(errors="replace")

    def _host(self, body: list[ast.stmt], *, host: str, prefix: str, level: str) -> None:
        """Collect what host code does; jit functions defined inside it become kernels of their own."""
        local: dict[str, set[str]] = {}
        launched: set[str] = set()
        passed: set[str] = set()
        called: set[str] = set()
        returned: set[str] = set()
        stack: list[ast.AST] = list(body)
        while stack:
            node = stack.pop()
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() if level == "function" and (
                    jit := self._jit_owner(node)
                ):
                    self._kernel(node, f"{host}.<locals>.{node.name}", jit)
                    local.setdefault(node.name, set()).add(f"{host}.<locals>.{node.name}")
                    continue
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        if name := dotted(target):
                            local.setdefault(name, set()).update(references(value))
                case ast.AnnAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
                    local.setdefault(dotted(target), set()).update(references(value))
                case ast.For(target=ast.Name(id=name), iter=value):
                    local.setdefault(name, set()).update(references(value))
                case ast.Return(value=value):
                    returned.update(references(value))
                case ast.Import() | ast.ImportFrom():
                    self._import(node)
                case ast.Call():
                    self._call(node, launched, passed, called)
                case _:
                    pass
            stack.extend(_children(node))
        self._keep(
            host, prefix, level, local, {"launches": launched, "passed": passed, "calls": called, "returns": returned}
        )

    @staticmethod
    def _call(node: ast.Call, launched: set[str], passed: set[str], called: set[str]) -> None:
        match node.func:
            case ast.Subscript(value=value):
                launched.update(references(value))
                return
            case ast.Attribute(value=value, attr=attr) if attr in LAUNCH_METHODS:
                launched.update(references(value))
        if name := dotted(node.func):
            called.add(name)
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if name := dotted(argument):
                passed.add(name)

    def _keep(self, host: str, prefix: str, level: str, local: dict[str, set[str]], found: dict[str, set[str]]) -> None:
        owner = prefix.rstrip(".")
        for name, values in local.items():
            attribute = name.partition(".")[2] if name.startswith(("self.", "cls.")) else name
            if level == "module" or attribute != name:
                key = f"{owner}.{attribute}" if owner else attribute
                self.facts.aliases[key] = self.facts.aliases.get(key, frozenset()) | values
        for kind, names in found.items():
            table: dict[str, References] = getattr(self.facts, kind)
            spelled = {_of_class(name, owner) for name in _expand(names, local if level == "function" else {})}
            if spelled:
                table[host] = table.get(host, frozenset()) | spelled

    def _jit_by_call(self, parsed: ast.Module) -> None:
        """`kernel = triton.jit(function)`, also with options: a kernel under the name it is given."""
        bodies = {node.name: node for node in parsed.body if isinstance(node, FunctionNode)}
        for node in parsed.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func, args=[ast.Name(id=wrapped)])):
                    if wrapped in bodies and (jit := self._means_jit(func)):
                        body = bodies[wrapped]
                        self._kernel(body, name, jit)
                        self.facts.aliases.pop(name, None)
                case _:
                    pass


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """As ast.iter_child_nodes, at a third of its time; names and constants have none worth a visit."""
    for value in vars(node).values():
        if type(value) is list:
            for item in value:
                if isinstance(item, ast.AST) and type(item) not in LEAVES:
                    yield item
        elif isinstance(value, ast.AST) and type(value) not in LEAVES:
            yield value


def _names_used(node: ast.AST) -> Iterator[str]:
    stack = [node]
    while stack:
        child = stack.pop()
        if isinstance(child, ast.Name):
            yield child.id
            continue
        if isinstance(child, ast.Attribute) and (name := dotted(child)):
            yield name
        stack.extend(_children(child))


def _expand(names: Iterable[str], local: dict[str, set[str]]) -> set[str]:
    """Names with the local variables among them replaced by what was assigned to them."""
    found: set[str] = set()
    pending, seen = list(names), set[str]()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        bare = name.removesuffix("()")
        root, dot, rest = bare.partition(".")
        if bare in local:
            pending.extend(local[bare])
        elif dot and root in local:  # one step only: `x = x.next` has no end
            found.update(f"{value}{dot}{rest}" for value in local[root] if "." not in value)
        found.add(name)
    return found


def _of_class(name: str, owner: str) -> str:
    root, _, rest = name.partition(".")
    return f"{owner}.{rest}" if owner and root in ("self", "cls") and rest else name
