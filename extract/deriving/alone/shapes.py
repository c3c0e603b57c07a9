"""From what was touched on virtual memory to a contract: a shape for every tensor, and what its strides follow."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence

from extract.deriving.alone.draft import Draft, names
from extract.deriving.alone.fit import Term, fitted
from extract.deriving.alone.search import Search
from extract.deriving.prober import Answer
from kmaint.records.workload import Argument, Axis, Contract, Json


def contract_of(search: Search, draft: Draft, answers: Sequence[Answer]) -> Contract | None:
    """The draft with a shape for every tensor, as far as what was touched follows the axes; else None."""
    axes = draft.used_axes()
    tiles = sorted({value for value in draft.scalars.values() if type(value) is int and value > 1})
    shapes: dict[str, tuple[str, ...]] = {}
    strides: dict[str, str] = {}
    for name in draft.pointers:
        shape = _shape(name, draft, answers, axes, tiles)
        if shape is None:
            return None
        shapes[name], own = shape
        for one, text_ in own.items():
            if strides.setdefault(one, text_) != text_ and any(len(set(values)) > 1 for values in axes.values()):
                return None
    arguments = [
        _argument(name, draft, shapes, strides) for name in search.text.parameters if _given(name, draft, strides)
    ]
    grid: Json = {"tuple": [draft.json(f"={size}") for size in draft.grid]}
    arguments.append(Argument(name=search.grid, kind="value", value=grid))
    arguments += [Argument(name=name, kind="value", value=value) for name, value in search.options(draft).items()]
    used = _axes_of(draft, shapes)
    if any(pointer.dtype == "DT" for pointer in draft.pointers.values()):
        used.append(Axis(name="DT", choices=(draft.dtype,)))
    return Contract(axes=tuple(used), arguments=tuple(arguments))


def _given(name: str, draft: Draft, strides: Mapping[str, str]) -> bool:
    return name in draft.pointers or name in strides or draft.scalars.get(name, {"default": True}) != {"default": True}


def _axes_of(draft: Draft, shapes: Mapping[str, tuple[str, ...]]) -> list[Axis]:
    mentioned = set(draft.used_axes()) | {n for shape in shapes.values() for size in shape for n in names(size)}
    return [
        Axis(name=name, choices=tuple(sorted(set(values[:2]))))
        for name, values in draft.axes.items()
        if name in mentioned
    ]


def _argument(name: str, draft: Draft, shapes: Mapping[str, tuple[str, ...]], strides: Mapping[str, str]) -> Argument:
    if name in strides:
        value = strides[name]
        return Argument(name=name, kind="value", value=f"={value}" if names(value) else int(ast.literal_eval(value)))
    if name not in draft.pointers:
        return Argument(name=name, kind="value", value=draft.json(draft.scalars[name]))
    pointer = draft.pointers[name]
    return Argument(
        name=name,
        kind="tensor",
        shape=shapes[name],
        dtype=pointer.dtype,
        values=pointer.content,
        bound=pointer.bound,
    )


def _shape(
    name: str, draft: Draft, answers: Sequence[Answer], axes: Mapping[str, tuple[int, ...]], tiles: Sequence[int]
) -> tuple[tuple[str, ...], dict[str, str]] | None:
    """Sizes of a tensor and its strides by name; None where what was touched follows nothing."""
    own = draft.strides.get(name, ())
    touched = [answer["touched"].get(name) for answer in answers]
    if not all(touched):
        return (("1",), dict.fromkeys(own, "1")) if not any(touched) else None
    sizes: list[Term] = []
    for at in range(len(own) + 1):
        wanted = tuple(one["extents"][at] + 1 for one in touched)
        term = fitted(wanted, axes, tiles)
        if term is None:
            return None
        sizes.append(term)
    inner = sizes[-1].shape if sizes[-1].text != "1" or not own else ()
    parts = [(term.text,) for term in sizes[:-1]]
    shape = tuple(size for part in parts for size in part) + tuple(inner)
    strides: dict[str, str] = {}
    for at, one in enumerate(own):
        rest = [size for part in parts[at + 1 :] for size in part] + list(inner)
        strides.setdefault(one, _product(rest))
    return shape, strides


def _product(sizes: Sequence[str]) -> str:
    kept = [size for size in sizes if size != "1"]
    if all(size.isdigit() for size in kept):
        return str(math.prod(int(size) for size in kept))
    return " * ".join(size if size.isidentifier() or size.isdigit() else f"({size})" for size in kept)
