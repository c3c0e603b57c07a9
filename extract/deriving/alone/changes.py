"""Drafts one change away from a draft that does not run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from extract.deriving.alone.draft import Draft, Pointer, with_axis
from extract.deriving.alone.uses import KernelText
from extract.deriving.classes import class_of
from extract.deriving.prober import Answer
from kmaint.records.workload import Json


def changes(text: KernelText, draft: Draft, answer: Answer) -> Iterator[Draft]:
    """Drafts one change away; first those that change what the failing line is made of."""
    near = text.lines.get(answer["line"], frozenset()) if answer["error"] else frozenset(answer["touched"])
    owned = {name for those in draft.strides.values() for name in those}
    ordered = sorted(draft.scalars, key=lambda name: name not in near)
    close = [name for name in ordered if name in near and name not in owned]
    for name in close:
        yield from _other_values(text, draft, name)
    for name in [one for one in draft.pointers if one in near]:
        yield from _other_contents(draft, name)
    yield from _all_powers(draft)
    for name in [name for name in ordered if name not in close and name not in owned]:
        yield from _other_values(text, draft, name)
    for name in [one for one in draft.pointers if one not in near]:
        yield from _other_contents(draft, name)
    if draft.dtype == "float32":
        yield replace(draft, dtype="bfloat16")


def _all_powers(draft: Draft) -> Iterator[Draft]:
    changed = replace(draft, axes={})
    for name, values in draft.axes.items():
        changed = (
            replace(changed, axes={**changed.axes, name: values})
            if name.startswith("max_")
            else with_axis(changed, name, powers=True)
        )
    if changed.axes != draft.axes:
        yield changed


def _other_values(text: KernelText, draft: Draft, name: str) -> Iterator[Draft]:
    value = draft.scalars[name]
    known = text.parameters[name]
    options: list[Json] = []
    if isinstance(value, bool):
        options = [not value]
    elif isinstance(value, str) and not value.startswith("="):
        options = [word for word in known.compared if isinstance(word, str)]
    elif isinstance(value, dict):
        options = [{"triton": dtype} for dtype in ("bfloat16", "float16", "int32", "float8e4nv")] + [False, 16]
    elif isinstance(value, float):
        options = [1, 0.0]
    else:
        same = [other for other, its in draft.scalars.items() if other != name and its == f"={other}"]
        options = [*(one for one in known.compared if isinstance(one, int)), 16, 32, 64, 128, 1, 2]
        options += [f"={other}" for other in same if class_of(other) == class_of(name)] + [4, 8, 0, 256, True, 0.5]
        options += [None] if value is not None else []
    for option in options:
        if option != value or type(option) is not type(value):
            yield draft.with_scalar(name, option)


def _other_contents(draft: Draft, name: str) -> Iterator[Draft]:
    pointer = draft.pointers[name]
    axis = pointer.bound or f"max_{name.lower()}"
    axes = {axis: (3, 5, 7), **draft.axes}
    if pointer.content in ("index", "lengths", "arange", "ones"):
        for content in ("index", "lengths", "arange"):
            if content != pointer.content:
                changed = replace(draft, axes=axes)
                yield changed.with_pointer(name, Pointer("int32", content, axis))
        yield draft.with_pointer(name, Pointer("DT"))
    else:
        yield replace(draft, axes=axes).with_pointer(name, Pointer("int32", "index", axis))
        for dtype in ("bfloat16", "float32", "uint8", "bool"):
            content = "normal" if "float" in dtype else "index" if dtype == "uint8" else "ones"
            yield replace(draft, axes=axes).with_pointer(
                name, Pointer(dtype, content, axis if content == "index" else "")
            )
