"""Abstract interpretation of a kernel's expressions: the kind of each, and the edits that lifting it to rows takes."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

from kmaint.agent.transforms.base import NotApplicable
from kmaint.agent.transforms.tile_edits import Edits
from kmaint.agent.transforms.tile_kinds import OPAQUE, STATIC, UNIFORM, DeeperBlocks, Kind, combine, join, truth
from kmaint.spans import Function


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Which program axis becomes rows, how many dimensions the kernel's blocks have, and the names the edits use."""

    number: int
    depth: int
    count: str
    """Parameter that holds how many rows there are."""
    index: str = "row_idx"
    rows: str = "ROWS_PER_PROGRAM"
    mask: str = "row_mask"

    @property
    def shape(self) -> list[str]:
        return [self.rows, *["1"] * self.depth]

    @property
    def subscript(self) -> str:
        """What turns a vector of rows into their column."""
        return f"[:{', None' * self.depth}]" if self.depth else ""


class Values(ABC):
    """Kinds of expressions under the variables' kinds in `known`; `mask` names the rows that are active here."""

    def __init__(self, edits: Edits, axis: Axis, known: dict[str, Kind]) -> None:
        self.edits, self.axis, self.known = edits, axis, known
        self.mask = axis.mask
        self.helper: Callable[[Function, dict[str, Kind]], Kind] | None = None
        self.whole: set[str] = set()
        self._seen: dict[ast.expr, Kind] = {}

    def forget(self) -> None:
        """Variables have changed: an expression met again is looked at again."""
        self._seen.clear()

    def kind(self, node: ast.expr) -> Kind:
        """The expression's kind; what it takes to lift it is added to the edits, once."""
        if node in self._seen:
            return self._seen[node]
        kind = self._kind(node)
        if kind.rank is not None and kind.rank > self.axis.depth:
            raise DeeperBlocks(kind.rank)
        if kind.row and kind.rank == 1 and kind.place is None:
            kind = replace(kind, place=self.axis.depth)
        self._seen[node] = kind
        return kind

    def _kind(self, node: ast.expr) -> Kind:
        match node:
            case ast.Constant() | ast.JoinedStr() | ast.Lambda():
                return STATIC
            case ast.Name(id=name):
                return self.known.get(name, STATIC)
            case ast.BinOp():
                return self._binary(node)
            case ast.UnaryOp():
                return self._unary(node)
            case ast.BoolOp():
                return self._logical(node)
            case ast.Compare():
                return self._compare(node)
            case ast.IfExp():
                return self._choice(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript():
                return self._subscript(node)
            case ast.Call():
                return self._call(node)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                kinds = [self.kind(item) for item in items]
                if any(kind.row is not False for kind in kinds):
                    raise NotApplicable("puts a row's value into a tuple")
                return Kind(rank=0, static=all(kind.static for kind in kinds))
            case _:
                raise NotApplicable(f"{type(node).__name__} in the kernel")

    @abstractmethod
    def _call(self, node: ast.Call) -> Kind: ...

    def meet(self, nodes: list[ast.expr]) -> Kind:
        """Kinds combined elementwise; a shared 1-D block turns where the row's own lies along the other dimension."""
        kinds = [self.kind(node) for node in nodes]
        if any(kind.row for kind in kinds) and any(kind.rank is None for kind in kinds):
            raise NotApplicable("a row meets a block whose rank cannot be told")
        crosswise = any(kind.row and kind.rank == 1 and kind.place != self.axis.depth for kind in kinds)
        if crosswise and any(kind.rank is not None and kind.rank > 1 for kind in kinds):
            raise NotApplicable("rows meet blocks that lie along different dimensions")
        if crosswise:
            for node, kind in zip(nodes, kinds, strict=True):
                if kind.rank == 1 and not kind.row:
                    self.edits.replace(node, f"{self.atom(node)}[:, None]")
        return combine(kinds)

    def atom(self, node: ast.expr) -> str:
        """The node's text, in brackets where a subscript would otherwise bind tighter."""
        text = self.edits.text(node)
        bare = ast.Name | ast.Call | ast.Attribute | ast.Subscript | ast.Constant
        return text if isinstance(node, bare) else f"({text})"

    def _binary(self, node: ast.BinOp) -> Kind:
        left, right = self.kind(node.left), self.kind(node.right)
        kind = self.meet([node.left, node.right])
        logical = isinstance(node.op, ast.BitAnd | ast.BitOr | ast.BitXor)
        return replace(kind, boolean=logical and left.boolean and right.boolean)

    def _unary(self, node: ast.UnaryOp) -> Kind:
        kind = self.kind(node.operand)
        if not isinstance(node.op, ast.Not):
            return replace(kind, boolean=isinstance(node.op, ast.Invert) and kind.boolean)
        if kind.row is None:
            raise NotApplicable("negates a value that differs between rows only under a compile-time switch")
        if kind.row:
            self.edits.replace(node, self.negated(node.operand, kind))
        return truth(kind)

    def negated(self, node: ast.expr, kind: Kind) -> str:
        """Text of `not node` for rows."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self.condition(node.operand, self.kind(node.operand))
        match node:  # only of whole numbers: "not less" also holds for NaN
            case ast.Compare(left=ast.Name(id=name) as left, ops=[ast.Lt()]) if name in self.whole:
                return f"({self.edits.text(left)} >= {self.edits.text(node.comparators[0])})"
        if kind.boolean:
            return f"~{self.condition(node, kind)}"
        return f"({self.atom(node)} == 0)"

    def condition(self, node: ast.expr, kind: Kind) -> str:
        """Text of a row's condition, ready to stand beside `&`."""
        return self.operand(node) if kind.boolean else f"({self.atom(node)} != 0)"

    def operand(self, node: ast.expr) -> str:
        text = self.edits.text(node)
        if "\n" in text:  # the brackets that let the original go on in a next line are not part of it
            return self.atom(node)
        binds = isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd)
        rewritten = isinstance(node, ast.BoolOp | ast.UnaryOp) and self.kind(node).row
        return text if binds or rewritten else self.atom(node)

    def _logical(self, node: ast.BoolOp) -> Kind:
        kinds = [self.kind(value) for value in node.values]
        kind = combine(kinds)
        if kind.row is None:
            raise NotApplicable("a condition that differs between rows only under a compile-time switch")
        if kind.row:
            sign = " & " if isinstance(node.op, ast.And) else " | "
            parts = [self.condition(value, of) for value, of in zip(node.values, kinds, strict=True)]
            if sign == " | ":
                parts = [f"({part})" if " & " in part else part for part in parts]
            self.edits.replace(node, f"({sign.join(parts)})")
        return truth(kind)

    def _compare(self, node: ast.Compare) -> Kind:
        if isinstance(node.ops[0], ast.Is | ast.IsNot | ast.In | ast.NotIn):
            return STATIC
        return truth(self.meet([node.left, *node.comparators]))

    def _choice(self, node: ast.IfExp) -> Kind:
        test, body, orelse = self.kind(node.test), self.kind(node.body), self.kind(node.orelse)
        if test.row is False:
            if not test.static and body.row != orelse.row:
                raise NotApplicable("a run-time choice between a row's value and a shared one")
            return join(body, orelse)
        if test.row is None:
            raise NotApplicable("a condition that differs between rows only under a compile-time switch")
        for arm in (node.body, node.orelse):
            if any(isinstance(inner, ast.Call) and "load" in ast.unparse(inner.func) for inner in ast.walk(arm)):
                raise NotApplicable("loads inside a per-row choice")
        kind = self.meet([node.test, node.body, node.orelse])
        condition = self.edits.text(node.test)
        if isinstance(node.test, ast.BoolOp):  # rewritten in brackets of its own
            condition = condition[1:-1]
        arms = f"{self.edits.text(node.body)}, {self.edits.text(node.orelse)}"
        self.edits.replace(node, f"tl.where({condition}, {arms})")
        return replace(kind, boolean=body.boolean and orelse.boolean)

    def _attribute(self, node: ast.Attribute) -> Kind:
        kind = self.kind(node.value)
        if node.attr in ("dtype", "element_ty", "value") or kind.static:
            return STATIC
        if node.attr in ("shape", "type", "T") and kind.row is not False:
            raise NotApplicable(f"asks a row's value for its .{node.attr}")
        return STATIC if node.attr in ("shape", "type") else OPAQUE

    def _subscript(self, node: ast.Subscript) -> Kind:
        kind = self.kind(node.value)
        index = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if not all(isinstance(item, ast.Slice) or is_none(item) for item in index):
            if kind.row is not False or self.kind(node.slice).row is not False:
                raise NotApplicable("indexes with or into a row's value")
            return UNIFORM
        new, old = sum(is_none(item) for item in index), sum(isinstance(item, ast.Slice) for item in index)
        if kind.rank is None:
            raise NotApplicable("widens a block whose rank cannot be told")
        rank = max(kind.rank, old) + new
        if rank > self.axis.depth:
            raise DeeperBlocks(rank)
        if kind.row is False or not new:
            return replace(kind, rank=rank)
        if kind.row is None or kind.rank != 1 or rank != 2:
            raise NotApplicable(f"widens a row's value by [{ast.unparse(node.slice)}]")
        place = 2 if is_none(index[0]) else 1
        value = self.atom(node.value)
        self.edits.replace(node, value if place == kind.place else f"tl.permute({value}, (0, 2, 1))")
        return replace(kind, rank=2, place=None)


def is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
