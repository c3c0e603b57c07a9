"""Abstract interpretation of a kernel's expressions: the kind of each, and the edits that lifting it to rows takes."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from kmaint.agent.transforms.base import NotApplicable
from kmaint.agent.transforms.source import Function, parameters
from kmaint.agent.transforms.tile_edits import Edits
from kmaint.agent.transforms.tile_kinds import OPAQUE, STATIC, UNIFORM, DeeperBlocks, Kind, combine, join, truth

REDUCTIONS = {"sum", "max", "min", "xor_sum", "argmax", "argmin", "reduce_or"}
SCANS = {"cumsum", "cumprod"}
ELEMENTWISE = frozenset(
    [
        "abs",
        "cast",
        "cdiv",
        "ceil",
        "clamp",
        "cos",
        "div_rn",
        "erf",
        "exp",
        "exp2",
        "fdiv",
        "floor",
        "fma",
        "log",
        "log2",
        "maximum",
        "minimum",
        "rsqrt",
        "sigmoid",
        "sin",
        "sqrt",
        "sqrt_rn",
        "umulhi",
        "where",
        "zeros_like",
    ]
)
LIBRARIES = (
    "tl.math.",
    "math.",
    "libdevice.",
    "tldevice.",
    "tl_math.",
    "tl.extra.cuda.libdevice.",
    "tl.extra.libdevice.",
)
ATOMICS = {f"atomic_{name}" for name in ("add", "max", "min", "and", "or", "xor", "xchg")}
QUIET = {"debug_barrier", "static_assert", "static_print", "extra.cuda.gdc_wait", "extra.cuda.gdc_launch_dependents"}
SHAPED = {"zeros", "full"}


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


class Values:
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

    def _meet(self, nodes: list[ast.expr]) -> Kind:
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
                    self.edits.replace(node, f"{self._atom(node)}[:, None]")
        return combine(kinds)

    def _atom(self, node: ast.expr) -> str:
        """The node's text, in brackets where a subscript would otherwise bind tighter."""
        text = self.edits.text(node)
        return text if isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Subscript) else f"({text})"

    def _binary(self, node: ast.BinOp) -> Kind:
        left, right = self.kind(node.left), self.kind(node.right)
        kind = self._meet([node.left, node.right])
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
        return f"({self._atom(node)} == 0)"

    def condition(self, node: ast.expr, kind: Kind) -> str:
        """Text of a row's condition, ready to stand beside `&`."""
        return self._operand(node) if kind.boolean else f"({self._atom(node)} != 0)"

    def _operand(self, node: ast.expr) -> str:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd):
            return self.edits.text(node)
        return self._atom(node)

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
        return truth(self._meet([node.left, *node.comparators]))

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
        kind = self._meet([node.test, node.body, node.orelse])
        parts = ", ".join(self.edits.text(part) for part in (node.test, node.body, node.orelse))
        self.edits.replace(node, f"tl.where({parts})")
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
        if not all(isinstance(item, ast.Slice) or _is_none(item) for item in index):
            if kind.row is not False or self.kind(node.slice).row is not False:
                raise NotApplicable("indexes with or into a row's value")
            return UNIFORM
        new, old = sum(_is_none(item) for item in index), sum(isinstance(item, ast.Slice) for item in index)
        if kind.rank is None:
            raise NotApplicable("widens a block whose rank cannot be told")
        rank = max(kind.rank, old) + new
        if rank > self.axis.depth:
            raise DeeperBlocks(rank)
        if kind.row is False or not new:
            return replace(kind, rank=rank)
        if kind.row is None or kind.rank != 1 or rank != 2:
            raise NotApplicable(f"widens a row's value by [{ast.unparse(node.slice)}]")
        place = 2 if _is_none(index[0]) else 1
        value = self._atom(node.value)
        self.edits.replace(node, value if place == kind.place else f"tl.permute({value}, (0, 2, 1))")
        return replace(kind, rank=2, place=None)

    def _call(self, node: ast.Call) -> Kind:
        if isinstance(node.func, ast.Attribute) and not _is_dotted(node.func):
            return self._method(node, node.func)
        name = ast.unparse(node.func)
        short = name.removeprefix("tl.").removeprefix("triton.language.")
        if name in self._functions():
            return self._helper(node, self._functions()[name])
        if short != name or name in ("float", "int", "min", "max", "abs", "range"):
            return self._builtin(node, short if short != name else name)
        if name.startswith(LIBRARIES):
            return self._meet(_arguments(node))
        if isinstance(node.func, ast.Attribute) and not self.kind(node.func.value).static:
            return self._method(node, node.func)
        return self._unknown(node, name)

    def _functions(self) -> dict[str, Function]:
        return self.edits.source.functions

    def _unknown(self, node: ast.Call, name: str) -> Kind:
        kinds = [self.kind(value) for value in _arguments(node)]
        if any(kind.row is not False for kind in kinds):
            raise NotApplicable(f"hands a row's value to {name}")
        known = isinstance(node.func, ast.Attribute) and all(kind.static for kind in kinds)
        return STATIC if known else OPAQUE

    def _builtin(self, node: ast.Call, name: str) -> Kind:
        match name:
            case "program_id" | "num_programs":
                return self._program(node, name)
            case "arange":
                return Kind(rank=1)
            case "load" | "store":
                return self._access(node, name)
            case "multiple_of" | "max_contiguous":
                return self._hint(node)
            case _ if name in ATOMICS:
                return self._access(node, name)
            case _:
                return self._function_of_blocks(node, name)

    def _function_of_blocks(self, node: ast.Call, name: str) -> Kind:
        if name in SHAPED:
            return self._filled(node)
        if name in REDUCTIONS and node.args:
            return self._reduced(node, node.args[0], name)
        if name in SCANS and node.args:
            return self._scanned(node)
        if name in QUIET:
            return STATIC
        if name in ELEMENTWISE or name.startswith(("math.", "extra.cuda.libdevice.", "extra.libdevice.")):
            kind = self._meet(_arguments(node))
            return replace(kind, boolean=name == "where" and all(self.kind(arm).boolean for arm in node.args[1:]))
        if name in ("float", "int", "min", "max", "abs"):
            return self._meet(_arguments(node))
        return self._other_builtin(node, name)

    def _program(self, node: ast.Call, name: str) -> Kind:
        """The lifted axis's index is a row's, under the name it was given; its size is a parameter."""
        if program_axis(node) != self.axis.number:
            return UNIFORM
        self.edits.replace(node, self.axis.index if name == "program_id" else self.axis.count)
        return Kind(row=name == "program_id")

    def _other_builtin(self, node: ast.Call, name: str) -> Kind:
        kinds = [self.kind(value) for value in _arguments(node)]
        if any(kind.row is not False for kind in kinds):
            raise NotApplicable(f"hands a row's value to tl.{name}")
        if name in ("trans", "flip", "sort", "gather", "softmax") and kinds:
            return replace(kinds[0], static=False)
        if name in ("reshape", "view", "broadcast_to") and len(node.args) == 2:
            return Kind(rank=_length(node.args[1]))
        return Kind(rank=2) if name == "dot" else STATIC if name == "constexpr" else OPAQUE

    def _method(self, node: ast.Call, function: ast.Attribute) -> Kind:
        kind = self.kind(function.value)
        for value in _arguments(node):
            if self.kind(value).row is not False:
                raise NotApplicable(f"hands a row's value to .{function.attr}")
        if function.attr in ("to", "cast"):
            boolean = any(ast.unparse(value) == "tl.int1" for value in _arguments(node))
            return replace(kind, static=False, boolean=boolean)
        if function.attr in ("abs", "exp", "log", "sqrt", "sigmoid"):
            return kind
        if kind.row is not False:
            raise NotApplicable(f"calls .{function.attr}() on a row's value")
        return OPAQUE

    def _hint(self, node: ast.Call) -> Kind:
        """A promise about alignment: it speaks of the original's dimensions, so a row's value does without it."""
        kind = self.kind(node.args[0])
        if kind.row is not False:
            self.edits.replace(node, self._atom(node.args[0]))
        return kind

    def _filled(self, node: ast.Call) -> Kind:
        shape = node.args[0] if node.args else next(k.value for k in node.keywords if k.arg == "shape")
        for value in _arguments(node):
            if value is not shape and self.kind(value).row is not False:
                raise NotApplicable("fills a block with a row's value")
        return Kind(rank=_length(shape))

    def _reduced(self, node: ast.Call, value: ast.expr, name: str) -> Kind:
        kind = self.kind(value)
        given = {item.arg: item.value for item in node.keywords}
        if "return_indices" in given:
            raise NotApplicable(f"tl.{name} that returns indices")
        where = node.args[1] if len(node.args) > 1 else given.get("axis")
        keeps = "keep_dims" in given or len(node.args) > 2
        if kind.row is False:
            return _reduce_shared(kind, where, keeps=keeps)
        if kind.row is None or not kind.rank:
            raise NotApplicable("reduces a value that is a row's only under a compile-time switch")
        axis = _whole_number(where) if where is not None else 0 if kind.rank == 1 else None
        if axis is None or keeps:
            raise NotApplicable(f"tl.{name} over all dimensions of a 2-D block, or one that keeps them")
        axis %= kind.rank
        lifted = kind.place if kind.rank == 1 else axis + 1
        if where is not None:
            self.edits.replace(where, str(lifted))
        self._add(node, f"axis={lifted}, keep_dims=True" if where is None else "keep_dims=True")
        return Kind(row=True, rank=kind.rank - 1, place=(2 if axis == 0 else 1) if kind.rank == 2 else None)

    def _scanned(self, node: ast.Call) -> Kind:
        kind = self.kind(node.args[0])
        if kind.row is False:
            return kind
        where = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords if k.arg == "axis"), None)
        axis = 0 if where is None else _whole_number(where)
        if kind.row is None or kind.rank not in (1, 2) or axis is None:
            raise NotApplicable("a scan over a block whose rank cannot be told")
        lifted = kind.place if kind.rank == 1 else axis % 2 + 1
        if where is not None:
            self.edits.replace(where, str(lifted))
        else:
            self._add(node, f"axis={lifted}")
        return kind

    def _access(self, node: ast.Call, name: str) -> Kind:
        """A load, store or atomic: of rows, it is masked by the rows that are active."""
        names = ["pointer", "mask", "other"] if name == "load" else ["pointer", "value", "mask"]
        given: dict[str | None, ast.expr] = dict(zip(names, node.args, strict=False))
        given |= {"pointer" if item.arg in ("ptr", "pointer") else item.arg: item.value for item in node.keywords}
        pointer = self.kind(given["pointer"])
        kinds = {key: self.kind(value) for key, value in given.items() if key is not None and key != "pointer"}
        if pointer.row is None:
            raise NotApplicable(f"tl.{name} at an address that is a row's only under a compile-time switch")
        if not pointer.row:
            self._shared_access(name, kinds)
            return Kind(rank=pointer.rank)
        if pointer.rank is None:
            raise NotApplicable(f"tl.{name} of a block whose rank cannot be told")
        for key in ("value", "other"):
            if key in kinds:
                self._widen(given[key], kinds[key])
        self._mask(node, given.get("mask"))
        return Kind(row=True, rank=pointer.rank, place=pointer.place)

    def _shared_access(self, name: str, kinds: dict[str, Kind]) -> None:
        if any(kind.row is not False for kind in kinds.values()):
            raise NotApplicable(f"tl.{name} at an address shared by the rows, of a row's value or under its mask")
        if name in ATOMICS or self.mask != self.axis.mask:
            raise NotApplicable(f"tl.{name} at an address shared by the rows, once for each")

    def _widen(self, node: ast.expr, kind: Kind) -> None:
        """A shared block beside a row's addresses: Triton 3.6 broadcasts a stored value only at equal rank."""
        if kind.row is False and kind.rank is None:
            raise NotApplicable("stores a block whose rank cannot be told")
        if kind.row is False and kind.rank:
            colons = ", ".join([":"] * kind.rank)
            padding = "None, " * (self.axis.depth + 1 - kind.rank)
            self.edits.replace(node, f"{self._atom(node)}[{padding}{colons}]")

    def _add(self, call: ast.Call, text: str) -> None:
        """One more argument, behind the last one and the brackets around it."""
        last = self.edits.source.span(_arguments(call)[-1])[1]
        rest = self.edits.source.text[last : self.edits.source.span(call)[1] - 1]
        closing = re.sub(r"#[^\n]*", lambda found: " " * len(found.group()), rest).rfind(")")
        self.edits.insert(last + closing + 1, f", {text}")

    def _mask(self, call: ast.Call, mask: ast.expr | None) -> None:
        if mask is None:
            self._add(call, f"mask={self.mask}")
        elif _is_none(mask):
            self.edits.replace(mask, self.mask)
        else:
            kind = self.kind(mask)
            if kind.row and kind.rank == 1 and kind.place != self.axis.depth:
                raise NotApplicable("a mask that lies along another dimension")
            self.edits.replace(mask, f"{self._operand(mask)} & {self.mask}")

    def _helper(self, node: ast.Call, function: Function) -> Kind:
        assert self.helper is not None
        if any(isinstance(value, ast.Starred) for value in node.args):
            raise NotApplicable(f"unpacks arguments into {function.name}")
        names = parameters(function)
        kinds = {name: self.kind(value) for name, value in zip(names, node.args, strict=False)}
        kinds |= {item.arg: self.kind(item.value) for item in node.keywords if item.arg is not None}
        return self.helper(function, kinds)


def program_axis(node: ast.Call) -> int:
    """Which axis a `tl.program_id` or `tl.num_programs` asks for."""
    axis = _whole_number(node.args[0] if node.args else node.keywords[0].value) if _arguments(node) else None
    if axis is None:
        raise NotApplicable("a program axis that is not a literal")
    return axis


def _reduce_shared(kind: Kind, where: ast.expr | None, *, keeps: bool) -> Kind:
    if kind.rank is None:
        return OPAQUE
    return Kind(rank=kind.rank if keeps else kind.rank - 1 if where is not None else 0)


def _arguments(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(item.value for item in node.keywords)]


def _is_dotted(node: ast.expr) -> bool:
    """Whether it is a plain `a.b.c`, and not an attribute of something computed."""
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and _is_dotted(node.value))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _length(shape: ast.expr) -> int | None:
    return len(shape.elts) if isinstance(shape, ast.Tuple | ast.List) else None


def _whole_number(node: ast.expr) -> int | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if isinstance(value, int) else None
