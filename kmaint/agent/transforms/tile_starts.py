"""What a loop carries keeps its shape in Triton: where it becomes a row's value, its start above the loop gets rows."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from kmaint.agent.transforms.base import NotApplicable
from kmaint.agent.transforms.tile_edits import Edits
from kmaint.agent.transforms.tile_kinds import Kind, join
from kmaint.agent.transforms.tile_values import Axis
from kmaint.spans import Function

Edited = tuple[tuple[int, int], str]
"""A span of the source, and what stands there instead."""


@dataclass(frozen=True)
class Start:
    """The value that a variable has ahead of a loop."""

    name: str
    value: ast.expr


def start_of(function: Function, loop: ast.stmt, name: str) -> Start:
    """The last one above the loop. NotApplicable where there is none."""
    found = [
        item
        for item in ast.walk(function)
        if isinstance(item, ast.Assign) and item.lineno < loop.lineno and ast.unparse(item.targets[0]) == name
    ]
    if not found:
        raise NotApplicable(f"{name} becomes a row's value inside a loop")
    return Start(name, max(found, key=lambda item: item.lineno).value)


def as_rows(edits: Edits, axis: Axis, start: Start, kind: Kind) -> Edited:
    """The start with rows, for a variable of that kind at the loop's end. NotApplicable where it cannot have them."""
    shape, source = f"[{', '.join(axis.shape)}]", edits.source
    match start.value:
        case ast.Constant(value=int() | float() as value) if kind.rank == 0 and not isinstance(value, bool):
            return source.span(start.value), _full(shape, source.of(start.value), whole=isinstance(value, int))
        case ast.UnaryOp() | ast.Call(func=ast.Name(id="float")) if kind.rank == 0:
            return source.span(start.value), _full(shape, source.of(start.value), whole=False)
        case ast.Call(
            func=ast.Attribute(attr="zeros" | "full"),
            args=[ast.Tuple(elts=sizes) | ast.List(elts=sizes) as given, *_],
        ):
            padding = axis.shape[: axis.depth + 1 - len(sizes)]
            written = [source.of(size) for size in sizes]
            crosswise = kind.rank == 1 and kind.place != axis.depth
            inner = ", ".join([axis.rows, *written, "1"] if crosswise else [*padding, *written])
            return source.span(given), f"[{inner}]"
        case _:
            raise NotApplicable(f"{start.name} becomes a row's value inside a loop")


def _full(shape: str, value: str, *, whole: bool) -> str:
    return f"tl.full({shape}, {value}, {'tl.int32' if whole else 'tl.float32'})"


def carried(before: Kind, after: Kind) -> Kind:
    """The kind at a loop's start of what was `before` ahead of it and is `after` at its end."""
    row = True if True in (before.row, after.row) else join(before, after).row
    if before.rank == after.rank:
        return replace(after, row=row, static=before.static and after.static, boolean=before.boolean and after.boolean)
    return Kind(row=row, rank=None)
