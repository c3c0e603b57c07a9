"""What expressions of host code may evaluate to, as far as names tell; nothing is resolved here."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from extract.names import dotted


def parse(code: bytes) -> ast.Module | None:
    """A piece of Python, or None where it is none; a warning about it is its owner's business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # MemoryError: too many brackets for the parser
            return None


def references(node: ast.expr | None) -> Iterator[str]:
    """What an expression may be: both arms of a choice, every value of a table; `make()` for what a call returns."""
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
    elif isinstance(func, ast.Call):  # tune(configs)(kernel)
        yield from _called(func.func)
