"""Reads from a kernel's text the sizes at which it changes its path: blocks, tuned configurations, thresholds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

WARP = 32
"""Threads of a warp: what num_warps counts."""

VECTOR_BYTES = 16
"""The widest load of a thread: 8 elements of 16 bits, 4 of 32."""

ALWAYS = (WARP, VECTOR_BYTES // 2)

BLOCK = re.compile(r"BLOCK|TILE|CHUNK|SPLIT|GROUP|SIZE", re.IGNORECASE)
ROUNDING = {"min", "max", "cdiv", "next_power_of_2", "range", "arange"}
LARGEST = 1 << 16


def boundaries(source: str) -> tuple[int, ...]:
    """Whole numbers above 4 that the code compares with, cuts into blocks of or rounds to, in ascending order."""
    found = {size for node in ast.walk(ast.parse(source)) for size in _numbers(node)}
    return tuple(sorted(size for size in {*found, *ALWAYS} if 4 < size <= LARGEST))


def _numbers(node: ast.AST) -> Iterator[int]:
    match node:
        case ast.Compare(left=left, comparators=others):
            yield from _whole([left, *others])
        case ast.Call(func=function, args=arguments, keywords=keywords):
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            yield from _whole(arguments) if name in ROUNDING else ()
            for keyword in keywords:
                yield from _named(keyword.arg or "", keyword.value)
        case ast.Dict(keys=keys, values=values):  # as in triton.Config({"BLOCK": 128})
            for key, value in zip(keys, values, strict=True):
                yield from _named(str(key.value) if isinstance(key, ast.Constant) else "", value)
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield from _named(name, value)
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield from _named(name, value)
        case ast.arguments(args=arguments, defaults=defaults):
            for argument, default in zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True):
                yield from _named(argument.arg, default)
        case _:
            return


def _named(name: str, value: ast.expr) -> Iterator[int]:
    if name == "num_warps":
        yield from (WARP * warps for warps in _whole([value]))
    elif BLOCK.search(name):
        yield from _whole([value])


def _whole(nodes: list[ast.expr]) -> Iterator[int]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
            yield node.value
