"""A draft of how to call a kernel: values of scalars, contents of tensors, a grid, and the axes that all follow."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass, replace

from extract.deriving.classes import class_of
from kmaint.expression import evaluate
from kmaint.records.workload import Binding, Json

SIZES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "tokens": (
        *((3, 5, 4), (4, 2, 5), (2, 6, 3), (5, 3, 2), (6, 4, 3), (3, 4, 6), (4, 6, 2), (5, 2, 6), (2, 5, 4)),
        *((6, 3, 5), (3, 2, 5), (4, 3, 6)),
    ),
    "heads": ((4, 2, 6), (2, 4, 6)),
    "head_dim": ((32, 16, 64), (16, 32, 64)),
    "topk": ((2, 3, 4),),
    "experts": ((4, 8, 6), (6, 4, 5)),
    "group": ((16, 32, 64), (32, 16, 64)),
    "slots": ((7, 11, 9), (9, 13, 11)),
    "width": ((48, 80, 112), (96, 112, 80), (80, 48, 96)),
}
POWERS: dict[str, tuple[tuple[int, int, int], ...]] = {
    **SIZES,
    "tokens": ((4, 8, 2), (8, 2, 4), (2, 4, 8)),
    "heads": ((4, 2, 8), (2, 4, 1)),
    "topk": ((2, 4, 1),),
    "experts": ((4, 8, 16),),
    "slots": ((8, 16, 4), (16, 8, 32)),
    "width": ((64, 128, 256), (128, 256, 64), (256, 64, 128)),
}
RESERVED = frozenset(
    {
        *("seed", "values", "layout", "within", "pair", "case", "cases", "axes", "more", "st", "given", "example"),
        *("assume", "check", "few", "min", "max", "cdiv", "sqrt", "itemsize", "next_power_of_2", "large", "DT", "os"),
        *("torch", "pytest", "sys", "Path", "Case", "Pair", "Contract", "WORKLOADS", "REPEATS", "DEVICE", "HERE"),
        *("reachable", "grid", "num_warps", "num_stages", "evaluate", "build", "leading", "opened", "names", "rows"),
    }
)
UNIT_BITS, NARROW_UNIT_BITS, ADDRESS_BITS, MOST_DIGIT_BITS = 18, 14, 48, 8


@dataclass(frozen=True)
class Pointer:
    """A tensor argument: its dtype (a torch name, or DT for the floating type that is varied) and its contents."""

    dtype: str
    content: str = "normal"
    bound: str = ""
    """The axis that index contents follow."""


@dataclass(frozen=True)
class Draft:
    """What is believed so far. A scalar's `=text` is an expression over axes and other scalars."""

    scalars: dict[str, Json]
    pointers: dict[str, Pointer]
    strides: dict[str, tuple[str, ...]]
    """Strides of each tensor, outermost first."""
    absent: frozenset[str]
    axes: dict[str, tuple[int, int, int]]
    grid: tuple[str, ...]
    options: dict[str, int]
    dtype: str = "float32"

    def with_scalar(self, name: str, value: Json) -> Draft:
        return replace(self, scalars={**self.scalars, name: value})

    def with_pointer(self, name: str, pointer: Pointer) -> Draft:
        return replace(self, pointers={**self.pointers, name: pointer})

    def inlined(self, text: str, depth: int = 0) -> str:
        """The expression over axes alone."""
        tree = ast.parse(text, mode="eval").body
        return ast.unparse(_Inline(self, depth).visit(tree))

    def json(self, value: Json) -> Json:
        """A scalar with its expression over axes alone; a plain number where no axis is in it."""
        if not (isinstance(value, str) and value.startswith("=")):
            return value
        text = self.inlined(value[1:])
        return f"={text}" if names(text) else evaluate(text, {})

    def bound(self, which: int) -> dict[str, Binding]:
        """Every axis on one of the three sets."""
        return {name: values[which] for name, values in self.axes.items()}

    def used_axes(self) -> dict[str, tuple[int, int, int]]:
        """Axes that some scalar, content or grid mentions."""
        texts = [str(self.json(value))[1:] for value in self.scalars.values() if str(self.json(value)).startswith("=")]
        texts += [self.inlined(text) for text in self.grid]
        texts += [pointer.bound for pointer in self.pointers.values() if pointer.bound]
        wanted = {name for text in texts for name in names(text)}
        return {name: values for name, values in self.axes.items() if name in wanted}


class _Inline(ast.NodeTransformer):
    def __init__(self, draft: Draft, depth: int) -> None:
        self.draft, self.depth = draft, depth

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.args = [self.visit(argument) for argument in node.args]
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self.draft.scalars.get(node.id)
        if isinstance(value, str) and value.startswith("=") and value[1:] != node.id and self.depth < 8:
            return ast.parse(self.draft.inlined(value[1:], self.depth + 1), mode="eval").body
        if isinstance(value, bool) or not isinstance(value, int):
            return node
        return ast.Constant(value)


def names(text: str) -> set[str]:
    """Names of an expression, functions left out."""
    tree = ast.parse(text, mode="eval")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}


def axis_name(name: str) -> str:
    """A name that neither a case nor the suite's own code uses."""
    name = name.lstrip("_") or "size"
    return f"{name}_size" if name in RESERVED else name


def with_axis(draft: Draft, name: str, *, powers: bool = False) -> Draft:
    """The draft with one more axis, whose sizes no other of its class has."""
    kind = class_of(name.lower())
    pool = (POWERS if powers else SIZES)[kind]
    used = sum(class_of(other.lower()) == kind for other in draft.axes)
    beyond = 0 if powers else 2 * max(0, used + 1 - len(pool))
    sizes = tuple(value + beyond for value in pool[min(used, len(pool) - 1)])
    return replace(draft, axes={**draft.axes, name: (sizes[0], sizes[1], sizes[2])})


def virtual_strides(draft: Draft, narrow: Collection[str]) -> dict[str, int]:
    """A value for every stride, a power of two above all offsets along inner dimensions; where one is `narrow`, all are
    so small that products with them fit in 32 bits."""
    level: dict[str, int] = {}
    for _ in range(4):
        for those in draft.strides.values():
            above = -1
            for name in reversed(those):
                level[name] = above = max(level.get(name, 0), above + 1)
    deepest = max(level.values(), default=0) + 1
    unit, most = (NARROW_UNIT_BITS, 30) if set(narrow) & set(level) else (UNIT_BITS, ADDRESS_BITS)
    bits = min(MOST_DIGIT_BITS, (most - unit) // deepest)
    return {name: 1 << (unit + bits * one) for name, one in level.items()}


def evaluated(draft: Draft, value: Json, which: int) -> Json:
    """A scalar's value on one set of axes; HarnessError where its expression cannot be had."""
    told = draft.json(value)
    return evaluate(told[1:], draft.bound(which)) if isinstance(told, str) and told.startswith("=") else told
