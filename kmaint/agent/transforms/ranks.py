"""How many dimensions each value inside a kernel has: 0 is one number per program, 1 and 2 are tiles."""

from __future__ import annotations

import ast

from kmaint.spans import Function, argument, parameters, tl_name

REDUCTIONS = {"sum", "max", "min", "argmax", "argmin", "xor_sum"}
TILES = {"zeros", "full"}
SCALARS = {"program_id", "num_programs", "cdiv"}
ELEMENTWISE = {
    "abs", "ceil", "clamp", "cos", "div_rn", "erf", "exp", "exp2", "fdiv", "floor", "fma", "load", "log", "log2",
    "maximum", "max_contiguous", "minimum", "multiple_of", "rsqrt", "sigmoid", "sin", "sqrt", "sqrt_rn", "where",
    "cast",
}  # fmt: skip


class Ranks:
    """Ranks of a kernel's names, by one pass over its assignments; a name bound to two ranks has none that is known."""

    def __init__(self, kernel: Function) -> None:
        self._of: dict[str, int | None] = dict.fromkeys(parameters(kernel), 0)
        for node in sorted(_bindings(kernel), key=lambda node: (node.lineno, node.col_offset)):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._bind(name, self.of(value))
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    self._bind(name, self.of(value))
                case ast.AugAssign(target=ast.Name(id=name), value=value):
                    self._bind(name, _widest([self.of(value), self._of.get(name)]))
                case ast.For(target=ast.Name(id=name)):
                    self._bind(name, 0)
                case _:
                    for inner in ast.walk(node):
                        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                            self._of[inner.id] = None

    def of(self, node: ast.expr) -> int | None:
        """The rank of an expression; None where it cannot be told."""
        match node:
            case ast.Constant():
                return 0
            case ast.Name(id=name):
                return self._of.get(name, 0 if name.isupper() else None)
            case ast.BinOp(left=left, right=right):
                return _widest([self.of(left), self.of(right)])
            case ast.UnaryOp(operand=operand):
                return self.of(operand)
            case ast.Compare(left=left, comparators=others):
                return _widest([self.of(left), *map(self.of, others)])
            case ast.IfExp(body=body, orelse=orelse):
                return _widest([self.of(body), self.of(orelse)])
            case ast.Subscript(slice=ast.Tuple(elts=axes)):
                return len(axes)
            case ast.Call():
                return self._of_call(node)
            case _:
                return None

    def _of_call(self, node: ast.Call) -> int | None:
        name = tl_name(node)
        if name == "arange":
            return 1
        if name in SCALARS:
            return 0
        if name == "dot":
            return 2
        if name in TILES:
            shape = argument(node, 0, "shape")
            return len(shape.elts) if isinstance(shape, (ast.List, ast.Tuple)) else None
        if name in REDUCTIONS and node.args:
            inside = self.of(node.args[0])
            whole = argument(node, 1, "axis") is None
            kept = any(keyword.arg == "keep_dims" for keyword in node.keywords)
            return None if inside is None or kept else 0 if whole else max(inside - 1, 0)
        if name in ELEMENTWISE:
            extra = [keyword.value for keyword in node.keywords if keyword.arg in ("mask", "x", "y")]
            return _widest([self.of(item) for item in (*node.args, *extra)])
        match node.func:
            case ast.Attribute(value=ast.expr() as value, attr="to"):
                return self.of(value)
            case ast.Name(id="float" | "min" | "max"):
                return 0
            case _:
                return None

    def _bind(self, name: str, rank: int | None) -> None:
        """A scalar that a loop widens (`acc = 0.0; acc += tile`) is a tile; anything else in two ranks is unknown."""
        known = self._of.get(name, rank)
        self._of[name] = rank if known in (rank, 0) else None


def _bindings(kernel: Function) -> list[ast.stmt]:
    kinds = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For)
    return [node for node in ast.walk(kernel) if isinstance(node, kinds)]


def _widest(ranks: list[int | None]) -> int | None:
    known = [rank for rank in ranks if rank is not None]
    return max(known, default=0) if len(known) == len(ranks) else None
