"""Slips in what is read and written: masks, boundaries, memory that nobody cleared."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kmaint.spans import argument, calls, tl_name
from testgen.mutation.base import Operator, Planted, Scope

MASK_AT = {"load": 1, "store": 2}
NEXT = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
EMPTY = {"zeros": "empty", "zeros_like": "empty_like", "new_zeros": "new_empty"}


def drop_masks(scope: Scope) -> Iterator[Planted]:
    """The whole mask, and each half of one made of two."""
    for call in calls(scope.function, *MASK_AT):
        name = tl_name(call)
        mask = argument(call, MASK_AT[name], "mask")
        if mask is None or ast.unparse(mask) == "None":
            continue
        other = argument(call, 2, "other") if name == "load" else None
        edits = [scope.source.replace(mask, "None"), *([scope.source.replace(other, "None")] if other else [])]
        yield Planted(edits=tuple(edits), line=mask.lineno, sentence=f"the mask of a {name} is left out")
        if isinstance(mask, ast.BinOp) and isinstance(mask.op, ast.BitAnd):
            for kept, lost in ((mask.left, mask.right), (mask.right, mask.left)):
                yield scope.put(mask, f"({scope.of(kept)})", f"the mask of a {name} loses {scope.of(lost)}")


def move_boundaries(scope: Scope) -> Iterator[Planted]:
    """`<` for `<=`, and the like."""
    for compare in scope.all(ast.Compare):
        if len(compare.ops) == 1 and type(compare.ops[0]) in NEXT:
            old, new = SIGNS[type(compare.ops[0])], NEXT[type(compare.ops[0])]
            left, right = scope.of(compare.left), scope.of(compare.comparators[0])
            yield scope.put(compare, f"({left}) {new} ({right})", f"{new} stands for {old}")


def leave_uncleared(scope: Scope) -> Iterator[Planted]:
    """Memory that was zero holds what was there, and lanes that a mask turns off hold one."""
    if scope.device:
        for call in calls(scope.function, "load"):
            other = argument(call, 2, "other")
            if other is not None and ast.unparse(other) != "None":
                text = "1" if ast.unparse(other) in ("0", "0.0") else "0"
                yield scope.put(other, text, f"masked lanes read {text}, not {scope.of(other)}")
        for call in calls(scope.function, "zeros"):
            yield scope.put(call, f"({scope.of(call)} + 1)", "an accumulator starts at one")
        return
    for call in scope.all(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr in EMPTY:
            owner, new = scope.of(call.func.value), EMPTY[call.func.attr]
            yield scope.put(call.func, f"{owner}.{new}", f"{new} stands for {call.func.attr}")
    for statement in scope.all(ast.Expr):
        if isinstance(statement.value, ast.Call) and ast.unparse(statement.value.func).endswith((".zero_", ".fill_")):
            yield scope.put(statement, "pass", f"{scope.of(statement)} is left out")


OPERATORS = (
    Operator(
        name="mask_dropped",
        why="A mask is left out, or the half of it that somebody took for implied.",
        where="kernel",
        before="v = tl.load(x + i, mask=(i < n) & keep, other=0.0)\ntl.store(y + i, v, i < n)\n",
        after=(
            "v = tl.load(x + i, mask=None, other=None)\ntl.store(y + i, v, i < n)\n",
            "v = tl.load(x + i, mask=(i < n), other=0.0)\ntl.store(y + i, v, i < n)\n",
            "v = tl.load(x + i, mask=(keep), other=0.0)\ntl.store(y + i, v, i < n)\n",
            "v = tl.load(x + i, mask=(i < n) & keep, other=0.0)\ntl.store(y + i, v, None)\n",
        ),
        plant=drop_masks,
    ),
    Operator(
        name="boundary",
        why="A comparison takes in one element too many, or one too few.",
        where="kernel",
        before="inside = i < n\nlate = i >= n - 1\n",
        after=("inside = (i) <= (n)\nlate = i >= n - 1\n", "inside = i < n\nlate = (i) > (n - 1)\n"),
        plant=move_boundaries,
    ),
    Operator(
        name="missing_zero",
        why="What is added to, or read where nothing was written, was never cleared.",
        where="host",
        before="y = torch.zeros_like(x)\ny.fill_(0)\n",
        after=("y = torch.empty_like(x)\ny.fill_(0)\n", "y = torch.zeros_like(x)\npass\n"),
        plant=leave_uncleared,
    ),
)
