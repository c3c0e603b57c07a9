"""Follows a program's expressions."""

from __future__ import annotations

import ast
import operator
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from . import outside, tensors
from .names import Names
from .values import RAISED, Class, Ended, Function, Instance, Kernel, Module, Named, Scope, Unknown, Value, unknown_in

STEPS_BETWEEN_LOOKS = 256
"""At the clock."""

MOST_STEPS = 100_000
"""Expressions and statements of one run; half a second to a second."""

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


class Expressions(Names):
    """What expressions come out as."""

    def value(self, node: ast.expr | None, scope: Scope) -> Value:
        """What the expression comes out as."""
        if node is None:
            return None
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Ended("too many steps")
        if self.steps % STEPS_BETWEEN_LOOKS == 0 and time.process_time() > self.deadline:
            raise Ended("no time left")
        how = _EXPRESSIONS.get(type(node))
        return Unknown(f"{type(node).__name__} expression") if how is None else how(self, node, scope)

    def at_constant(self, node: ast.Constant, _scope: Scope) -> Value:
        return node.value

    def at_name(self, node: ast.Name, scope: Scope) -> Value:
        return self.name(node.id, scope)

    def at_attribute(self, node: ast.Attribute, scope: Scope) -> Value:
        return self.attribute(self.value(node.value, scope), node.attr)

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


_EXPRESSIONS: dict[type[ast.expr], Callable[[Expressions, Any, Scope], Value]] = {
    ast.Constant: Expressions.at_constant,
    ast.Name: Expressions.at_name,
    ast.Attribute: Expressions.at_attribute,
    ast.BinOp: Expressions.at_binary,
    ast.UnaryOp: Expressions.at_unary,
    ast.BoolOp: Expressions.at_boolean,
    ast.Compare: Expressions.at_compare,
    ast.IfExp: Expressions.at_choice,
    ast.Tuple: Expressions.at_sequence,
    ast.List: Expressions.at_sequence,
    ast.Set: Expressions.at_sequence,
    ast.Dict: Expressions.at_mapping,
    ast.Subscript: Expressions.at_subscript,
    ast.Slice: Expressions.at_slice,
    ast.JoinedStr: Expressions.at_formatted,
    ast.Lambda: Expressions.at_lambda,
    ast.NamedExpr: Expressions.at_bound_name,
    ast.ListComp: Expressions.at_comprehension,
    ast.SetComp: Expressions.at_comprehension,
    ast.GeneratorExp: Expressions.at_comprehension,
    ast.DictComp: Expressions.at_mapped,
    ast.Call: lambda self, node, scope: self.at_call(node, scope),
}
