"""Abstract interpretation of the calls in a kernel: loads and stores, reductions, functions of blocks, helpers."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from kmaint.agent.transforms.base import NotApplicable
from kmaint.agent.transforms.tile_kinds import OPAQUE, STATIC, UNIFORM, Kind
from kmaint.agent.transforms.tile_values import Values, is_none
from kmaint.spans import Function, parameters

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


class Calls(Values):
    """Kinds of expressions, calls included."""

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
            return self.meet(_arguments(node))
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
            kind = self.meet(_arguments(node))
            return replace(kind, boolean=name == "where" and all(self.kind(arm).boolean for arm in node.args[1:]))
        if name in ("float", "int", "min", "max", "abs"):
            return self.meet(_arguments(node))
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
            self.edits.replace(node, self.atom(node.args[0]))
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
                self._widen(given[key], kinds[key], pointer)
        self._mask(node, given.get("mask"), pointer)
        return Kind(row=True, rank=pointer.rank, place=pointer.place)

    def _shared_access(self, name: str, kinds: dict[str, Kind]) -> None:
        if any(kind.row is not False for kind in kinds.values()):
            raise NotApplicable(f"tl.{name} at an address shared by the rows, of a row's value or under its mask")
        if name in ATOMICS or self.mask != self.axis.mask:
            raise NotApplicable(f"tl.{name} at an address shared by the rows, once for each")

    def _widen(self, node: ast.expr, kind: Kind, pointer: Kind) -> None:
        """A block beside a row's addresses, shaped like them: Triton 3.6 broadcasts stores at equal rank only."""
        if kind.rank is None or (kind.row is None and kind.rank):
            raise NotApplicable("stores a block whose rank or dependence on the row cannot be told")
        if kind.rank and not self._turn(node, kind, pointer) and not kind.row:
            colons = ", ".join([":"] * kind.rank)
            padding = "None, " * (self.axis.depth + 1 - kind.rank)
            self.edits.replace(node, f"{self.atom(node)}[{padding}{colons}]")

    def _turn(self, node: ast.expr, kind: Kind, pointer: Kind) -> bool:
        """Lay a 1-D block along the dimension of 1-D addresses that it is used with; gives whether it had to be."""
        if kind.rank != 1 or pointer.rank != 1:
            return False
        if kind.row and kind.place != pointer.place:
            self.edits.replace(node, f"tl.permute({self.edits.text(node)}, (0, 2, 1))")
            return True
        if not kind.row and pointer.place != self.axis.depth:
            self.edits.replace(node, f"{self.atom(node)}[None, :, None]")
            return True
        return False

    def _add(self, call: ast.Call, text: str) -> None:
        """One more argument, behind the last one and the brackets around it."""
        last = self.edits.source.span(_arguments(call)[-1])[1]
        rest = self.edits.source.text[last : self.edits.source.span(call)[1] - 1]
        closing = re.sub(r"#[^\n]*", lambda found: " " * len(found.group()), rest).rfind(")")
        self.edits.insert(last + closing + 1, f", {text}")

    def _mask(self, call: ast.Call, mask: ast.expr | None, pointer: Kind) -> None:
        if mask is None:
            self._add(call, f"mask={self.mask}")
        elif is_none(mask):
            self.edits.replace(mask, self.mask)
        else:
            self._turn(mask, self.kind(mask), pointer)
            self.edits.replace(mask, f"{self.operand(mask)} & {self.mask}")

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


def _length(shape: ast.expr) -> int | None:
    return len(shape.elts) if isinstance(shape, ast.Tuple | ast.List) else None


def _whole_number(node: ast.expr) -> int | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if isinstance(value, int) else None
