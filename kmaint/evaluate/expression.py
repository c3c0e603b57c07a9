"""Evaluates a contract's expressions over its axes without running code: names, numbers and a few operators."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping

from kmaint.errors import HarnessError
from kmaint.records.workload import Binding

Number = int | float

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

OPERATORS: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
FUNCTIONS: dict[str, Callable[..., Number]] = {
    "min": min,
    "max": max,
    "cdiv": lambda a, b: -(-a // b),
    "next_power_of_2": lambda n: 1 << max(0, int(n) - 1).bit_length(),
    "sqrt": math.sqrt,
    "itemsize": lambda dtype: ITEM_BYTES[dtype],
}
COMPARISONS: dict[type[ast.cmpop], Callable[[object, object], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,  # type: ignore[dict-item]
    ast.LtE: operator.le,  # type: ignore[dict-item]
    ast.Gt: operator.gt,  # type: ignore[dict-item]
    ast.GtE: operator.ge,  # type: ignore[dict-item]
}


def evaluate(expression: str, axes: Mapping[str, Binding]) -> float:
    """The expression's value as a number. HarnessError where it holds anything but arithmetic over the axes."""
    try:
        return float(_value(ast.parse(expression, mode="eval").body, axes))
    except (SyntaxError, TypeError, ValueError, KeyError, ZeroDivisionError) as error:
        raise HarnessError(
            f"workloads.json: cannot evaluate {expression!r} over {dict(axes)}: {error}", "correct the expression"
        ) from error


def _value(node: ast.expr, axes: Mapping[str, Binding]) -> Number:
    """Text compares only: `2 if DT == 'bfloat16' else 4` is a number."""
    match node:
        case ast.Constant(value=int() | float() | str() as value):
            return value  # type: ignore[return-value]
        case ast.Name(id=name):
            return axes[name]  # type: ignore[return-value]
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](_value(left, axes), _value(right, axes))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, axes)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test, axes) else orelse, axes)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return COMPARISONS[type(op)](_value(left, axes), _value(right, axes))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return FUNCTIONS[name](*(_value(argument, axes) for argument in arguments))
        case _:
            raise ValueError(f"{ast.unparse(node)!r} is not arithmetic")
