"""What a file compiles by call, and its functions and classes that do so with what they are given."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import NamedTuple

from extract.names import dotted
from extract.scan.dialects import Dialect
from extract.scan.expressions import parse
from extract.scan.masking import calls_of
from extract.scan.naming import owner_of
from extract.scan.outline import Scope
from extract.scan.python_file import PythonFile
from kmaint.records.kernel import Language

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class _Compiler(NamedTuple):
    """A function or class that compiles its parameter; `place` is None where a function inside it takes that."""

    qualname: str
    language: Language
    parameter: str
    place: int | None


def compiled_in(node: ast.AST, dialect_of_name: Callable[[str], Dialect | None]) -> Iterator[tuple[Dialect, str]]:
    """What is compiled by call anywhere in some code: the language, and the function as it is named there."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and call.args and (name := dotted(call.args[0])):
            func = call.func
            while isinstance(func, ast.Call):
                func = func.func
            if dialect := dialect_of_name(dotted(func)):
                yield dialect, name


def compilers_of(file: PythonFile) -> dict[str, Language]:
    """Decorators of the file's own, by qualified name: they compile a parameter, or hand it to another that does."""
    found: dict[str, Language] = {}
    pending = list(_compiling(file))
    while pending:
        compiler = pending.pop()
        if compiler.qualname not in found:
            found[compiler.qualname] = compiler.language
            if compiler.place is not None:
                pending += _handing_to(file, compiler)
    return found


def _compiling(file: PythonFile) -> Iterator[_Compiler]:
    """Functions that compile a name which is none of the file's functions."""
    hosts = [host for at in file.compilations if (host := file.host_at(at))]
    for scope in {host.head: host for host in hosts}.values():
        node = _function(file, scope)
        for dialect, name in compiled_in(node, file.dialect) if node else ():
            if node and "." not in name and not {f"{scope.qualname}.<locals>.{name}", name} & file.bodies.keys():
                yield _Compiler(scope.qualname, dialect.language, name, _place(node, name, scope))


def _handing_to(file: PythonFile, compiler: _Compiler) -> Iterator[_Compiler]:
    """Functions that give a parameter of theirs to a compiler, and classes that give it what they were made with."""
    owner, _, name = compiler.qualname.rpartition(".")
    hosts = [host for end in calls_of(file.code, name.encode()) if (host := file.host_at(end))]
    for scope in {host.head: host for host in hosts}.values():
        own = owner_of(scope)
        spelled = {compiler.qualname, *((f"self.{name}", f"cls.{name}") if owner and owner == own else ())}
        node = _function(file, scope)
        for call in ast.walk(node) if node else ():
            if not node or not isinstance(call, ast.Call) or dotted(call.func) not in spelled:
                continue
            given = _given(call, compiler)
            if given in _parameters(node):
                yield _Compiler(scope.qualname, compiler.language, given, _place(node, given, scope))
            elif own and given.startswith("self.") and (made := _made_with(file, own, given)):
                yield _Compiler(own, compiler.language, *made)


def _given(call: ast.Call, compiler: _Compiler) -> str:
    """What a call of a compiler gives it to compile, as far as it has a name."""
    for keyword in call.keywords:
        if keyword.arg == compiler.parameter:
            return dotted(keyword.value)
    assert compiler.place is not None
    return dotted(call.args[compiler.place]) if compiler.place < len(call.args) else ""


def _made_with(file: PythonFile, owner: str, attribute: str) -> tuple[str, int | None] | None:
    """The parameter of a class that it keeps as an attribute, and the place of that."""
    scope = file.bodies.get(f"{owner}.__init__")
    node = _function(file, scope) if scope else None
    if not scope or not node:
        return None
    for kept in ast.walk(node):
        if isinstance(kept, ast.Assign) and any(dotted(target) == attribute for target in kept.targets):
            name = dotted(kept.value)
            if name in _parameters(node):
                return name, _place(node, name, scope)
    return None


def _function(file: PythonFile, scope: Scope) -> Function | None:
    parsed = parse(file.alone(scope))
    return next((node for node in ast.walk(parsed) if isinstance(node, FUNCTIONS)), None) if parsed else None


def _parameters(node: Function) -> set[str]:
    """Of a function and of those inside it."""
    return {argument.arg for argument in ast.walk(node) if isinstance(argument, ast.arg)}


def _place(node: Function, name: str, scope: Scope) -> int | None:
    """Among the arguments of a call: what a method is called on is none."""
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    if name in names:
        return names.index(name) - (owner_of(scope) != "" and names[0] in ("self", "cls"))
    return len(names) if any(argument.arg == name for argument in node.args.kwonlyargs) else None
