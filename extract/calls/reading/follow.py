"""Follows a program's expressions and statements, one path through it, and notes the calls of chosen functions."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from . import outside, tensors
from .library import Library
from .values import (
    RAISED,
    Broke,
    Class,
    Continued,
    Ended,
    Function,
    FunctionNode,
    Imported,
    Instance,
    Kernel,
    Module,
    Named,
    Returned,
    Scope,
    Unknown,
    Value,
    blur,
    unknown_in,
)

MOST_STEPS = 30_000
"""Expressions and statements of one run; the longest useful ones take a third of it."""

MOST_DEPTH = 12
OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.MatMult: operator.matmul,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
UNARY: dict[type[ast.AST], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
Note = Callable[[str, dict[str, Value]], None]
"""Told of each call of a launcher or kernel: its id, and every parameter's value by name."""


class Follower:
    """One run: `note` is told of the calls on its way. `answers` says what platform queries come out as."""

    def __init__(self, library: Library, launchers: frozenset[str], answers: Mapping[str, bool], note: Note) -> None:
        self.library, self.launchers, self.answers, self.note = library, launchers, answers, note
        self.answered = {name.removesuffix("()").rpartition(".")[0] for name in answers} | set(answers)
        self.steps = self.depth = 0

    # Names

    def module_scope(self, module: Module) -> Scope:
        """The module's names, its body followed first."""
        if not module.followed:
            module.followed = True
            steps, self.steps = self.steps, 0
            for node in module.body:
                try:
                    self.statement(node, module.scope)
                except (Ended, Returned, Broke, Continued):
                    blur(node, module.scope, "its module ends early")
            self.steps = steps
        return module.scope

    def name(self, name: str, scope: Scope) -> Value:
        within: Scope | None = scope
        while within is not None:
            if name in within.names:
                return self.resolved(within.names[name])
            within = within.outer
        names = self.module_scope(scope.module).names
        if name in names:
            return self.resolved(names[name])
        for star in [value for key, value in list(names.items()) if key.startswith("*")]:
            found = self.resolved(Imported(f"{star.target}.{name}"))
            if not isinstance(found, (Unknown, Named)):
                return found
        return outside.builtin(name)

    def resolved(self, value: Value, hops: int = 0) -> Value:
        """What an import binds: a module or a name of the tree, else something outside it by its name."""
        if not isinstance(value, Imported) or hops > 8:
            return value
        if value.target in outside.ALIASES:
            return self._named(outside.ALIASES[value.target])
        if (module := self.library.module(value.target)) is not None:
            return module
        owner, _, name = value.target.rpartition(".")
        if value.target in self.answered or outside.PARALLEL.fullmatch(value.target):
            return self._named(value.target)
        if owner and (home := self.library.module(owner)) is not None:
            return self.resolved(self.of_module(home, name), hops + 1)
        return self._named(value.target)

    def of_module(self, module: Module, name: str) -> Value:
        names = self.module_scope(module).names
        if name in names:
            return names[name]
        if (inner := self.library.module(f"{module.name}.{name}")) is not None:
            return inner
        for key, star in list(names.items()):
            if key.startswith("*") and (home := self.library.module(star.target)) not in (None, module):
                assert home is not None
                if name in self.module_scope(home).names:
                    return home.scope.names[name]
        made = names.get("__getattr__")
        return made(name) if isinstance(made, Function) else Unknown(f"{module.name} binds no {name}")

    # Expressions

    def value(self, node: ast.expr | None, scope: Scope) -> Value:
        """What the expression comes out as."""
        if node is None:
            return None
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Ended("too many steps")
        how = _EXPRESSIONS.get(type(node))
        return Unknown(f"{type(node).__name__} expression") if how is None else how(self, node, scope)

    def at_constant(self, node: ast.Constant, _scope: Scope) -> Value:
        return node.value

    def at_name(self, node: ast.Name, scope: Scope) -> Value:
        return self.name(node.id, scope)

    def at_attribute(self, node: ast.Attribute, scope: Scope) -> Value:
        return self.attribute(self.value(node.value, scope), node.attr)

    def attribute(self, of: Value, name: str) -> Value:
        """`of.name`."""
        match of:
            case Unknown():
                return of
            case Module():
                return self.resolved(self.of_module(of, name))
            case Named():
                return self._named(f"{of.name}.{name}")
            case Instance():
                return self._of_instance(of, name)
            case Class():
                try:
                    return _bound(of.find(name), of, None)
                except KeyError:
                    return of.name if name == "__name__" else Unknown(f"{of.name} has no {name}")
            case torch.Tensor():
                return tensors.attribute(of, name)
            case Kernel() if name in ("fn", "run", "warmup"):
                return of if name == "fn" else Unknown(f"{name} of a kernel")
            case Function() | Kernel():
                return Unknown(f"{name} of a function")
            case _:
                try:
                    return Unknown(f"attribute {name}") if name.startswith("__") else getattr(of, name)
                except AttributeError:
                    return Unknown(f"{type(of).__name__} has no {name}")

    def _named(self, name: str) -> Value:
        if name in self.answers:
            return self.answers[name]
        if name in outside.VALUES:
            return outside.VALUES[name]
        if name.startswith("torch.") and name.count(".") == 1:
            found = tensors.find(name)
            if isinstance(found, (torch.dtype, int, float)):
                return found
        if name.startswith("math.") and not callable(found := getattr(math, name[5:], print)):
            return found
        return Named(name)

    def _of_instance(self, of: Instance, name: str) -> Value:
        if name in of.attributes:
            return of.attributes[name]
        if of.of is None:
            return Unknown(f"attribute {name}")
        try:
            found = of.of.find(name)
        except KeyError:
            return Unknown(f"{of.of.name} sets no {name}")
        if isinstance(found, Function) and found.kind == "property":
            return self.call(_bound(found, of.of, of), [], {})
        return _bound(self.resolved(found), of.of, of)

    def at_binary(self, node: ast.BinOp, scope: Scope) -> Value:
        return self.operate(OPERATORS[type(node.op)], self.value(node.left, scope), self.value(node.right, scope))

    def operate(self, function: Callable[..., Any], *operands: Value) -> Value:
        if missing := unknown_in(list(operands), 1):
            return missing
        if any(isinstance(one, torch.Tensor) for one in operands):
            return tensors.apply(function, list(operands), {})
        repeated = function is operator.mul and any(isinstance(one, (list, tuple, str)) for one in operands)
        if repeated and any(isinstance(one, int) and one > 1 << 20 for one in operands):
            return Unknown("a very long sequence")
        try:
            return function(*operands)
        except RAISED as error:
            return Unknown(f"{function.__name__}: {error}")

    def at_unary(self, node: ast.UnaryOp, scope: Scope) -> Value:
        operand = self.value(node.operand, scope)
        if isinstance(node.op, ast.Not):
            known = self.truth(operand)
            return Unknown("an unknown test") if known is None else not known
        return self.operate(UNARY[type(node.op)], operand)

    def at_boolean(self, node: ast.BoolOp, scope: Scope) -> Value:
        decisive = isinstance(node.op, ast.Or)
        missing: Value = None
        found: Value = None
        for part in node.values:
            found = self.value(part, scope)
            known = self.truth(found)
            if known is decisive:
                return found
            missing = found if known is None and missing is None else missing
        return found if missing is None else Unknown("an unknown test")

    def at_compare(self, node: ast.Compare, scope: Scope) -> Value:
        left = self.value(node.left, scope)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node, scope)
            answer = self._compared(op, left, right)
            if self.truth(answer) is not True or len(node.ops) == 1:
                return answer
            left = right
        return True

    def _compared(self, op: ast.cmpop, left: Value, right: Value) -> Value:
        if isinstance(op, (ast.Is, ast.IsNot)):
            if missing := unknown_in([left, right], 1):
                return missing
            return (left is right) == isinstance(op, ast.Is)
        if isinstance(op, (ast.In, ast.NotIn)):
            found = self.operate(lambda a, b: a in b, left, right)
            return found if isinstance(found, Unknown) else found == isinstance(op, ast.In)
        return self.operate(OPERATORS[type(op)], left, right)

    def truth(self, value: Value) -> bool | None:
        """Whether a value holds; None where that is not known."""
        match value:
            case Unknown() | Named():
                return None
            case torch.Tensor():
                known = tensors.apply(bool, [value], {})
                return known if isinstance(known, bool) else None
            case Instance() | Class() | Function() | Kernel() | Module():
                return True
            case _:
                return bool(value)

    def at_choice(self, node: ast.IfExp, scope: Scope) -> Value:
        known = self.truth(self.value(node.test, scope))
        if known is None:
            return Unknown(f"which of two: {ast.unparse(node.test)[:60]}")
        return self.value(node.body if known else node.orelse, scope)

    def at_sequence(self, node: ast.Tuple | ast.List | ast.Set, scope: Scope) -> Value:
        found: list[Value] = []
        for item in node.elts:
            if isinstance(item, ast.Starred):
                found.extend(self.items(self.value(item.value, scope)))
            else:
                found.append(self.value(item, scope))
        kind = {ast.Tuple: tuple, ast.List: list, ast.Set: set}[type(node)]
        try:
            return kind(found)
        except TypeError as error:
            return Unknown(str(error))

    def at_mapping(self, node: ast.Dict, scope: Scope) -> Value:
        found: dict[Value, Value] = {}
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            value = self.value(value_node, scope)
            if key_node is None:
                if not isinstance(value, dict):
                    return Unknown("an unknown mapping")
                found.update(value)
                continue
            key = self.value(key_node, scope)
            try:
                found[key] = value
            except TypeError as error:
                return Unknown(str(error))
        return found

    def at_subscript(self, node: ast.Subscript, scope: Scope) -> Value:
        return self.item(self.value(node.value, scope), self.value(node.slice, scope))

    def item(self, of: Value, index: Value) -> Value:
        if missing := unknown_in([of, index], 1):
            return of if isinstance(of, Unknown) else missing
        if isinstance(of, torch.Tensor):
            return tensors.apply(operator.getitem, [of, index], {})
        if isinstance(index, torch.Tensor):
            index = tensors.apply(int, [index], {})
        if isinstance(of, Named):
            return Unknown(f"an item of {of.name}")
        if isinstance(of, Class | Function | type):
            return of
        try:
            return of[index]
        except (LookupError, TypeError, ValueError) as error:
            return Unknown(f"item: {error}")

    def at_slice(self, node: ast.Slice, scope: Scope) -> Value:
        parts = [self.value(part, scope) for part in (node.lower, node.upper, node.step)]
        parts = [tensors.apply(int, [part], {}) if isinstance(part, torch.Tensor) else part for part in parts]
        return unknown_in(parts) or slice(*parts)

    def at_formatted(self, node: ast.JoinedStr, scope: Scope) -> Value:
        parts = [
            part.value if isinstance(part, ast.Constant) else self.value(getattr(part, "value", None), scope)
            for part in node.values
        ]
        return unknown_in(parts) or "".join(str(part) for part in parts)

    def at_lambda(self, node: ast.Lambda, scope: Scope) -> Value:
        return self.function(node, scope, "<lambda>")

    def at_bound_name(self, node: ast.NamedExpr, scope: Scope) -> Value:
        value = self.value(node.value, scope)
        self.assign(node.target, value, scope)
        return value

    def at_comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Value:
        inner = Scope(scope.module, {}, scope)
        found = [self.value(node.elt, inner) for _ in self._turns(node.generators, inner)]
        if (missing := inner.names.get("*unknown")) is not None:
            return missing
        if isinstance(node, ast.SetComp):
            return outside.plain(set, [found], {})
        return found

    def at_mapped(self, node: ast.DictComp, scope: Scope) -> Value:
        inner = Scope(scope.module, {}, scope)
        pairs = [
            (self.value(node.key, inner), self.value(node.value, inner)) for _ in self._turns(node.generators, inner)
        ]
        missing = inner.names.get("*unknown") or unknown_in([key for key, _ in pairs])
        return missing if missing is not None else dict(pairs)

    def _turns(self, generators: list[ast.comprehension], scope: Scope) -> Iterator[None]:
        first, *rest = generators
        source = self.value(first.iter, scope)
        if isinstance(source, Unknown):
            scope.names["*unknown"] = source
            return
        for item in self.items(source):
            self.assign(first.target, item, scope)
            tests = [self.truth(self.value(test, scope)) for test in first.ifs]
            if None in tests:
                scope.names["*unknown"] = Unknown("an unknown test of a comprehension")
                return
            if not all(tests):
                continue
            if rest:
                yield from self._turns(rest, scope)
            else:
                yield None

    def items(self, value: Value) -> list[Value]:
        """What iterating gives; nothing for what cannot be iterated."""
        match value:
            case torch.Tensor():
                found = tensors.apply(lambda one: list(one.unbind(0)), [value], {}) if value.dim() else []
                return found if isinstance(found, list) else []
            case Unknown() | Named() | Instance() | Class() | Function() | Kernel() | Module():
                return []
            case _:
                try:
                    found = []
                    for one in value:
                        found.append(one)
                        if len(found) >= MOST_STEPS:
                            break
                    return found
                except TypeError:
                    return []

    # Calls

    def at_call(self, node: ast.Call, scope: Scope) -> Value:
        if isinstance(node.func, ast.Name) and node.func.id in _SCOPED:
            return _SCOPED[node.func.id](self, node, scope)
        if isinstance(node.func, ast.Subscript):
            of = self.value(node.func.value, scope)
            if isinstance(of, Kernel):
                arguments, named = self.arguments(node, scope)
                return self.launch(of, self.value(node.func.slice, scope), arguments, named)
            function = self.item(of, self.value(node.func.slice, scope))
        else:
            function = self.value(node.func, scope)
        arguments, named = self.arguments(node, scope)
        return self.call(function, arguments, named)

    def arguments(self, node: ast.Call, scope: Scope) -> tuple[list[Value], dict[str, Value]]:
        positional: list[Value] = []
        for one in node.args:
            if isinstance(one, ast.Starred):
                starred = self.value(one.value, scope)
                positional.extend([starred] if isinstance(starred, Unknown) else self.items(starred))
            else:
                positional.append(self.value(one, scope))
        named: dict[str, Value] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value, scope)
            if keyword.arg is not None:
                named[keyword.arg] = value
            elif isinstance(value, dict):
                named.update(value)
        return positional, named

    def call(self, function: Value, arguments: list[Value], named: dict[str, Value]) -> Value:
        """What calling gives back."""
        match function:
            case Unknown():
                outside.call_back([*arguments, *named.values()])
                return function
            case Function():
                return self.follow(function, arguments, named)
            case bool():
                return function  # a platform query whose answer stands for it, called or not
            case Class():
                return self.construct(function, arguments, named)
            case Named():
                return self.answer(function.name, arguments, named)
            case Kernel() | Module() | Instance():
                return Unknown(f"calling {type(function).__name__.lower()}")
            case _:
                if not callable(function):
                    return Unknown("calling a value")
                if any(isinstance(one, torch.Tensor) for one in arguments) and function in (
                    int,
                    float,
                    bool,
                    list,
                    len,
                ):
                    return (
                        tensors.apply(function, arguments, named) if function is not list else self.items(arguments[0])
                    )
                return self.plainly(function, arguments, named)

    def plainly(self, function: Callable[..., Any], arguments: list[Value], named: dict[str, Value]) -> Value:
        """A method of a plain value, which may hold unknown ones, or a function of Python's."""
        if getattr(function, "__name__", "") in ("append", "extend", "insert", "update", "add", "setdefault", "get"):
            try:
                return function(*arguments, **named)
            except RAISED as error:
                return Unknown(str(error))
        return outside.plain(function, arguments, named)

    def answer(self, name: str, arguments: list[Value], named: dict[str, Value]) -> Value:
        """A call of something outside the tree."""
        if f"{name}()" in self.answers:
            return self.answers[f"{name}()"]
        return outside.call(name, arguments, named)

    def launch(self, kernel: Kernel, grid: Value, arguments: list[Value], named: dict[str, Value]) -> Value:
        """`kernel[grid](...)`: noted with the kernel's own parameters, the grid and the options of the launch."""
        function = kernel.function
        bound = self.bind(function, arguments, named, partial=True)
        if isinstance(grid, Function):
            grid = self.follow(grid, [bound], {})
        options = {name: value for name, value in named.items() if name in ("num_warps", "num_stages")}
        self.note(function.id, {**bound, "grid": grid, **options})
        return None

    def bind(
        self, function: Function, arguments: list[Value], named: dict[str, Value], *, partial: bool = False
    ) -> dict[str, Value]:
        """Every parameter's value by name; what a caller left out is unknown, or with `partial` absent."""
        spec = function.node.args
        names = [one.arg for one in (*spec.posonlyargs, *spec.args)]
        given = [*function.bound, *arguments]
        bound: dict[str, Value] = dict(zip(names, given, strict=False))
        if spec.vararg:
            bound[spec.vararg.arg] = tuple(given[len(names) :])
        defaults = dict(zip(names[len(names) - len(function.defaults) :], function.defaults, strict=True))
        for one, default in zip(spec.kwonlyargs, function.keyword_defaults, strict=True):
            defaults[one.arg] = default
            names.append(one.arg)
        extra: dict[str, Value] = {}
        for name, value in named.items():
            (bound if name in names else extra)[name] = value
        if spec.kwarg:
            bound[spec.kwarg.arg] = extra
        for name in names:
            if name not in bound and not (partial and isinstance(defaults.get(name, _MISSING), Unknown)):
                value = defaults.get(name, _MISSING)
                if not partial or value is not _MISSING:
                    bound[name] = value
        return bound

    def follow(self, function: Function, arguments: list[Value], named: dict[str, Value]) -> Value:
        """Follow a function's body, with its parameters bound."""
        bound = self.bind(function, arguments, named)
        if function.id in self.launchers:
            self.note(function.id, {name: bound[name] for name in function.parameters() if name in bound})
        if self.depth >= MOST_DEPTH:
            return Unknown("calls too deep")
        scope = Scope(function.scope.module, bound, function.scope)
        self.depth += 1
        try:
            if isinstance(function.node, ast.Lambda):
                return self.value(function.node.body, scope)
            self.body(function.node.body, scope)
        except Returned as result:
            return result.value
        finally:
            self.depth -= 1
        return scope.names.get("*yielded")

    def construct(self, of: Class, arguments: list[Value], named: dict[str, Value]) -> Value:
        """An object of a class of the tree."""
        made = Instance(of)
        try:
            start = of.find("__init__")
        except KeyError:
            start = None
        if isinstance(start, Function):
            self.call(_bound(start, of, made), arguments, named)
            return made
        fields = _fields(of)
        made.attributes.update(fields)
        made.attributes.update(zip(fields, arguments, strict=False))
        made.attributes.update(named)
        return made

    def function(self, node: FunctionNode, scope: Scope, qualname: str) -> Function:
        """The function that a definition makes."""
        defaults = [self.value(one, scope) for one in node.args.defaults]
        keyword = [_MISSING if one is None else self.value(one, scope) for one in node.args.kw_defaults]
        return Function(node, scope, qualname, defaults, keyword, self.follow)

    # Statements: see follow_statements

    def body(self, nodes: list[ast.stmt], scope: Scope) -> None:
        for node in nodes:
            self.statement(node, scope)

    def statement(self, node: ast.stmt, scope: Scope) -> None:
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Value, scope: Scope) -> None:
        raise NotImplementedError


_MISSING = Unknown("an argument that is not given")


def _fields(of: Class) -> dict[str, Value]:
    inherited: dict[str, Value] = {}
    for base in reversed(of.bases):
        if isinstance(base, Class):
            inherited.update(_fields(base))
    return {**inherited, **of.fields}


def _bound(found: Value, of: Class, instance: Instance | None) -> Value:
    if not isinstance(found, Function) or found.kind == "staticmethod" or found.bound:
        return found
    first = of if found.kind == "classmethod" else instance
    if first is None:
        return found
    return Function(
        found.node,
        found.scope,
        found.qualname,
        found.defaults,
        found.keyword_defaults,
        found.call,
        (first,),
        found.kind,
    )


def _isinstance(self: Follower, node: ast.Call, scope: Scope) -> Value:
    value, kinds = (self.value(one, scope) for one in node.args[:2])
    if isinstance(value, Unknown):
        return value
    if isinstance(kinds, Named) and kinds.name == "torch.Tensor":
        return isinstance(value, torch.Tensor)
    if isinstance(value, Instance) and isinstance(kinds, Class):
        return value.of is kinds
    try:
        return isinstance(value, kinds)
    except TypeError:
        return Unknown("isinstance of an unknown type")


def _getattr(self: Follower, node: ast.Call, scope: Scope) -> Value:
    of, name, *rest = (self.value(one, scope) for one in node.args)
    if not isinstance(name, str):
        return Unknown("getattr of an unknown name")
    found = self.attribute(of, name)
    return rest[0] if rest and isinstance(found, Unknown) and isinstance(of, Instance) else found


def _setattr(self: Follower, node: ast.Call, scope: Scope) -> Value:
    of, name, value = (self.value(one, scope) for one in node.args)
    if isinstance(of, Instance) and isinstance(name, str):
        of.attributes[name] = value
    return None


def _nothing(self: Follower, node: ast.Call, scope: Scope) -> Value:
    for one in node.args:
        self.value(one, scope)
    return None


def _super(self: Follower, node: ast.Call, scope: Scope) -> Value:
    del self, node, scope
    return Instance(None, {"__init__": lambda *_arguments, **_named: None})


_SCOPED: dict[str, Callable[[Follower, ast.Call, Scope], Value]] = {
    "isinstance": _isinstance,
    "getattr": _getattr,
    "setattr": _setattr,
    "print": _nothing,
    "super": _super,
}
_EXPRESSIONS: dict[type[ast.expr], Callable[[Follower, Any, Scope], Value]] = {
    ast.Constant: Follower.at_constant,
    ast.Name: Follower.at_name,
    ast.Attribute: Follower.at_attribute,
    ast.BinOp: Follower.at_binary,
    ast.UnaryOp: Follower.at_unary,
    ast.BoolOp: Follower.at_boolean,
    ast.Compare: Follower.at_compare,
    ast.IfExp: Follower.at_choice,
    ast.Tuple: Follower.at_sequence,
    ast.List: Follower.at_sequence,
    ast.Set: Follower.at_sequence,
    ast.Dict: Follower.at_mapping,
    ast.Subscript: Follower.at_subscript,
    ast.Slice: Follower.at_slice,
    ast.JoinedStr: Follower.at_formatted,
    ast.Lambda: Follower.at_lambda,
    ast.NamedExpr: Follower.at_bound_name,
    ast.ListComp: Follower.at_comprehension,
    ast.SetComp: Follower.at_comprehension,
    ast.GeneratorExp: Follower.at_comprehension,
    ast.DictComp: Follower.at_mapped,
    ast.Call: Follower.at_call,
}
