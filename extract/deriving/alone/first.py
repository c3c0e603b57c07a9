"""The first draft of how to call a kernel: what its text, its launch and the names in both amount to."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace

from extract.deriving.alone.draft import Draft, Pointer, axis_name, names, with_axis
from extract.deriving.alone.site import Site
from extract.deriving.alone.uses import KernelText, Parameter

INDEX_SIZES = ((3, 5, 7), (5, 4, 6), (4, 7, 5))
FLOATS = re.compile(r"eps|scale|scaling|alpha|beta|theta|limit|cap$|temperature|factor|threshold|prob|coef|slope|gamma")
FLAGS = re.compile(r"^(is|has|use|enable|with|do|need|needs|apply|store|return|save|write|skip|add|launch|no|not)_")
CALLED = frozenset({"min", "max", "cdiv", "next_power_of_2"})


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


def _safe(text: str) -> str:
    return re.sub(r"\b[A-Za-z_]\w*\b", lambda word: word[0] if word[0] in CALLED else axis_name(word[0]), text)


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
