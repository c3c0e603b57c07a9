"""Evaluates a contract's expressions over its axes without running code."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kmaint.errors import HarnessError
from kmaint.records.workload import Binding

ITEM_BYTES = {
    "float64": 8,
    "int64": 8,
    "float32": 4,
    "int32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int16": 2,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
"""Bytes of one element, by torch's names."""

OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "cdiv": lambda a, b: -(-a // b),
    "next_power_of_2": lambda n: 1 << max(0, int(n) - 1).bit_length(),
    "sqrt": math.sqrt,
    "itemsize": lambda dtype: ITEM_BYTES[dtype],
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.Not: operator.not_}


def evaluate(expression: str, axes: Mapping[str, Binding]) -> Binding:
    """The expression's value, as the harness's own runtime has it. HarnessError where it is more than arithmetic,
    comparisons and a few functions of the axes."""
    try:
        value: Binding = _value(ast.parse(expression.strip(), mode="eval").body, axes)
    except (SyntaxError, TypeError, ValueError, KeyError, ZeroDivisionError) as error:
        raise HarnessError(
            f"workloads.json: cannot evaluate {expression!r} over {dict(axes)}: {error}", "correct the expression"
        ) from error
    return value


def keeps(constraints: Iterable[str], axes: Mapping[str, Binding]) -> bool:
    """Whether all constraints hold. One that would divide by a size of 0 does not: it is about cases that have one."""
    return all(_holds(constraint, axes) for constraint in constraints)


def _holds(constraint: str, axes: Mapping[str, Binding]) -> bool:
    try:
        return bool(evaluate(constraint, axes))
    except HarnessError as error:
        if isinstance(error.__cause__, ZeroDivisionError):
            return False
        raise


def number(expression: str, axes: Mapping[str, Binding]) -> float:
    """The value of an expression that stands for a size, a count or bytes."""
    return float(evaluate(expression, axes))


def names_in(expression: str) -> set[str]:
    """The names that an expression mentions."""
    return {node.id for node in ast.walk(ast.parse(expression.strip(), mode="eval")) if isinstance(node, ast.Name)}


def _value(node: ast.expr, axes: Mapping[str, Binding]) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return value
        case ast.Name(id=name):
            return axes[name]
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](_value(left, axes), _value(right, axes))
        case ast.UnaryOp(op=op, operand=operand):
            return UNARY[type(op)](_value(operand, axes))
        case ast.BoolOp(op=op, values=values):
            together = all if isinstance(op, ast.And) else any
            return together(_value(value, axes) for value in values)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test, axes) else orelse, axes)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [_value(side, axes) for side in (left, *comparators)]
            pairs = zip(sides, ops, sides[1:], strict=False)
            return all(COMPARISONS[type(op)](one, other) for one, op, other in pairs)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return [_value(item, axes) for item in items]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return FUNCTIONS[name](*(_value(argument, axes) for argument in arguments))
        case _:
            raise ValueError(f"{ast.unparse(node)!r} is not arithmetic")
