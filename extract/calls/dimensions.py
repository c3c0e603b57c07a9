"""What the sizes of a launcher's arguments are called: by the launcher itself, or by the tests that call it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from extract.calls.relations import Column
from kmaint.records.call import Call

Names = Mapping[tuple[str, int], str]
"""What a launcher itself calls dimension i of a parameter; where i is negative, it counts from the last."""

PARAMETER = re.compile(r"(?<=[\[-])([A-Za-z]\w*)=(\d+)(?=[-\]])")
"""A whole number in `test_x[num_tokens=7-dtype=bfloat16]`."""


def dimension_names(function: ast.FunctionDef) -> dict[tuple[str, int], str]:
    """Of `m, n = x.shape`, `n = x.shape[1]`, `m = x.size(0)` and of `launch(..., n_cols=x.shape[-1])`."""
    found: dict[tuple[str, int], str] = {}
    for node in ast.walk(function):
        for name, dimension in _named(node):
            if name != "_":
                found.setdefault(dimension, name)
    return found


def _named(node: ast.AST) -> Iterator[tuple[str, tuple[str, int]]]:
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value) if of := _shape(value):
            starred = next((i for i, one in enumerate(targets) if isinstance(one, ast.Starred)), len(targets))
            for i, target in enumerate(targets):
                if isinstance(target, ast.Name):
                    yield target.id, (of, i if i < starred else i - len(targets))
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            for target, value in zip(targets, values, strict=False):
                if isinstance(target, ast.Name) and (dimension := _dimension(value)):
                    yield target.id, dimension
        case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.keyword(arg=str(name), value=value):
            if dimension := _dimension(value):
                yield name, dimension
        case _:
            pass


def _shape(node: ast.expr) -> str:
    match node:
        case (
            ast.Attribute(value=ast.Name(id=of), attr="shape")
            | ast.Call(func=ast.Attribute(value=ast.Name(id=of), attr="size"), args=[])
        ):
            return of
        case _:
            return ""


def _dimension(node: ast.expr) -> tuple[str, int] | None:
    match node:
        case (
            ast.Subscript(value=ast.Attribute(value=ast.Name(id=of), attr="shape"), slice=index)
            | ast.Call(func=ast.Attribute(value=ast.Name(id=of), attr="size"), args=[index])
        ):
            pass
        case _:
            return None
    match index:
        case ast.Constant(value=int(i)):
            return of, i
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(i))):
            return of, -i
        case _:
            return None


def parameter_name(column: Column, calls: Sequence[Call]) -> str:
    """The test parameter that has these values wherever a call's test has one of its name; empty where none has.

    Of several the one that most calls have; two calls at least, of different values, since one may agree by chance.
    """
    agreeing: Counter[str] = Counter()
    values: dict[str, set[int]] = {}
    refuted: set[str] = set()
    for value, call in zip(column, calls, strict=True):
        for name, text in PARAMETER.findall(call.source):
            if value == int(text):
                agreeing[name] += 1
                values.setdefault(name, set()).add(value)
            else:
                refuted.add(name)
    known = [name for name in agreeing if name not in refuted and len(values[name]) > 1]
    return max(known, key=lambda name: (agreeing[name], name), default="")
