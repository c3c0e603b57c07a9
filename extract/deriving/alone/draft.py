"""A draft of how to call a kernel: values of scalars, contents of tensors, a grid, and the axes that all follow."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from extract.deriving.alone.site import Site, Stride
from extract.deriving.alone.uses import KernelText, Parameter
from extract.deriving.classes import class_of
from kmaint.errors import HarnessError
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
INDEX_SIZES = ((3, 5, 7), (5, 4, 6), (4, 7, 5))
RESERVED = frozenset(
    {
        *("seed", "values", "layout", "within", "pair", "case", "cases", "axes", "more", "st", "given", "example"),
        *("assume", "check", "few", "min", "max", "cdiv", "sqrt", "itemsize", "next_power_of_2", "large", "DT", "os"),
        *("torch", "pytest", "sys", "Path", "Case", "Pair", "Contract", "WORKLOADS", "REPEATS", "DEVICE", "HERE"),
        *("reachable", "grid", "num_warps", "num_stages", "evaluate", "build", "leading", "opened", "names", "rows"),
    }
)
FLOATS = re.compile(r"eps|scale|scaling|alpha|beta|theta|limit|cap$|temperature|factor|threshold|prob|coef|slope|gamma")
FLAGS = re.compile(r"^(is|has|use|enable|with|do|need|needs|apply|store|return|save|write|skip|add|launch|no|not)_")
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


def first_draft(text: KernelText, taken: Sequence[str], site: Site) -> Draft:
    """What the texts of kernel and launch amount to; `taken` are those of its parameters that the entry has."""
    draft = Draft({}, {}, {}, frozenset(), {}, (), dict(site.options))
    strides = {name for name in taken if _is_stride(name, site)}
    for name in taken:
        known = text.parameters.get(name)
        if known is None:
            continue
        if _is_pointer(known) and name not in strides:
            draft = _with_tensor(draft, known, site)
        elif name not in strides:
            draft = _with_value(draft, known, site)
    draft = replace(draft, strides=_strides(text, draft, strides, site))
    owned = {name for those in draft.strides.values() for name in those}
    for name in strides - owned:  # of no tensor that is known: any number does
        draft = draft.with_scalar(name, 1)
    grid = site.grid or tuple(f"programs_{axis}" for axis in range(text.programs))
    draft = replace(draft, grid=tuple(_safe(one) for one in grid))
    for wanted in sorted({name for one in _expressions(draft) for name in names(one)}):
        if wanted not in draft.axes and wanted not in draft.scalars:
            draft = with_axis(draft, wanted)
    return draft


def _expressions(draft: Draft) -> list[str]:
    told = [value[1:] for value in draft.scalars.values() if isinstance(value, str) and value.startswith("=")]
    return [*draft.grid, *told]


CALLED = frozenset({"min", "max", "cdiv", "next_power_of_2"})


def _safe(text: str) -> str:
    return re.sub(r"\b[A-Za-z_]\w*\b", lambda word: word[0] if word[0] in CALLED else axis_name(word[0]), text)


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


def _is_stride(name: str, site: Site) -> bool:
    return name in site.strides or ("stride" in name.lower() and not re.search(r"(strides|_arr|_ptr|ptrs)$", name))


def _is_pointer(known: Parameter) -> bool:
    return known.pointer or bool(re.search(r"(_ptr|_ptrs|Ptr)$|^ptr_", known.name))


def _with_tensor(draft: Draft, known: Parameter, site: Site) -> Draft:
    if known.name in site.absent:
        return replace(draft, absent=draft.absent | {known.name}).with_scalar(known.name, None)
    pointer = content_of(known, site.dtypes.get(known.name, ""))
    if not known.loaded and pointer.content in ("index", "lengths", "arange"):
        pointer = Pointer(pointer.dtype)
    if pointer.content in ("index", "lengths", "arange"):
        axis = axis_name(f"max_{re.sub(r'_?ptrs?$', '', known.name.lower()) or 'index'}")
        used = sum(name.startswith("max_") for name in draft.axes)
        sizes = (3, 5, 4) if pointer.content == "arange" else INDEX_SIZES[used % len(INDEX_SIZES)]
        draft = replace(draft, axes={**draft.axes, axis: sizes})
        pointer = replace(pointer, bound=axis)
    return draft.with_pointer(known.name, pointer)


def content_of(known: Parameter, stated: str) -> Pointer:
    """What a tensor holds, by its uses, its name and what the launcher says of its dtype."""
    name = re.sub(r"_?ptrs?$", "", known.name.lower())
    if stated and stated != "float32" and "int" not in stated and stated != "bool":
        return Pointer(stated)
    sequence = re.search(r"^cu_|cu_seq|indptr|start_loc|_cu_|starts?$|offsets?$|cumul", name)
    if (
        known.index
        or known.bound
        or known.whole
        or re.search(
            r"(ids?|idx|indices|index|locs?|slot_mapping|slots|positions?|pos|lens?|lengths?|map|mapping|table|tables)$",
            name,
        )
    ):
        dtype = stated if "int" in stated else ("int64" if re.search(r"loc|slot|position|indices", name) else "int32")
        if stated in ("float32", "bool"):
            return Pointer(stated, "ones" if stated == "bool" else "normal")
        if sequence:
            return Pointer(dtype, "arange")
        return Pointer(dtype, "lengths" if known.bound and re.search(r"len|num|count|seq", name) else "index")
    if stated:
        return Pointer(stated, "index" if "int" in stated else "ones" if stated == "bool" else "normal")
    if re.search(r"mask$|^is_|^has_|flags?$", name):
        return Pointer("bool", "ones")
    if re.search(r"packed|qweight|qzeros", name):
        return Pointer("int32", "index")
    if "scale" in name:
        return Pointer("float32", "scale")
    if re.search(r"lse|logsumexp", name):
        return Pointer("float32", "log_sum_exp")
    return Pointer("DT")


def _with_value(draft: Draft, known: Parameter, site: Site) -> Draft:
    name = known.name
    if name in site.values:
        value = site.values[name]
        if value is not None or not (known.address or known.tile):
            return draft.with_scalar(name, _safe(value) if isinstance(value, str) and value.startswith("=") else value)
    if known.default is not None and known.default not in ("None", "-1"):
        try:
            return draft.with_scalar(name, ast.literal_eval(known.default))
        except ValueError:
            return draft.with_scalar(name, {"default": True})
    return _by_use(draft, known)


def _by_use(draft: Draft, known: Parameter) -> Draft:
    name = known.name
    lower = name.lower()
    words = [one for one in known.compared if isinstance(one, str)]
    numbers = [one for one in known.compared if isinstance(one, int) and not isinstance(one, bool) and one > 1]
    if known.dtype or re.search(r"dtype$|_type$", lower):
        return draft.with_scalar(name, {"triton": "float32"})
    if words:
        return draft.with_scalar(name, words[0])
    if FLAGS.match(lower) or (known.condition and not known.address and not known.tile) or "bool" in known.annotation:
        return draft.with_scalar(name, False)
    if known.tile and re.search(r"block|tile|chunk|^b[a-z]{1,2}$|split|warp|pad", lower):
        return draft.with_scalar(name, 32 if re.search(r"[mnk]$", lower) else 64)
    if re.search(r"eps", lower):
        return draft.with_scalar(name, 1e-6)
    if (
        not known.tile
        and not known.address
        and (FLOATS.search(lower) or "float" in known.annotation or "fp32" in known.annotation)
    ):
        return draft.with_scalar(name, 0.5)
    if numbers and known.constexpr and not known.address and not known.tile:
        return draft.with_scalar(name, numbers[0])
    axis = axis_name(name)
    return with_axis(draft, axis, powers=known.tile).with_scalar(name, f"={axis}")


def _strides(text: KernelText, draft: Draft, strides: set[str], site: Site) -> dict[str, tuple[str, ...]]:
    order = list(text.parameters)
    found: dict[str, tuple[str, ...]] = {}
    for name in draft.pointers:
        own = {one: told for one, told in site.strides.items() if told.tensor == name and one in strides}
        others = [
            one
            for one in text.parameters[name].offsets
            if one in strides and one not in own and (one not in site.strides or not own)
        ]
        ranked = sorted(own, key=lambda one: (own[one].dimension < 0, own[one].dimension))
        found[name] = (*ranked, *sorted(others, key=order.index))
    return found


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


__all__ = [
    "Draft",
    "HarnessError",
    "Pointer",
    "Stride",
    "evaluated",
    "first_draft",
    "names",
    "virtual_strides",
    "with_axis",
]
