"""Whether what times and checks a candidate is still what it was before the candidate was imported.

Every function and class of the modules that timing goes through is kept by identity, functions with their code too, and
the plain values of our own modules and classes. It
explains a lie rather than makes one impossible: the parent's own clock and the judging process do not rest on it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import torch

MODULES = (
    "time",
    "torch.cuda",
    "torch.cuda.graphs",
    "torch.cuda.streams",
    "torch.autograd.profiler",
    "torch.profiler",
    "torch.profiler.profiler",
)
TENSOR = ("clone", "contiguous", "copy_", "cpu", "data_ptr", "fill_", "numel", "reshape", "view", "zero_")
OWN = ("workers", "runtime")
"""The worker's modules and the harness's runtime, with all that is in them."""

PLAIN = (bool, int, float, str)
"""Of a setting: another one is another object, but for a small number that is put back."""

Kept = dict[str, tuple[Any, ...]]
missing = object()


class Watch:
    """A picture of the functions in use; `changed` names the first that is another by now, or nothing."""

    def __init__(self) -> None:
        self._kept = dict(picture())

    def changed(self) -> str:
        now = dict(picture(self._kept))
        for name, kept in self._kept.items():
            found = now.get(name, (missing,))
            if len(found) != len(kept) or any(a is not b for a, b in zip(kept, found, strict=True)):
                return name
        return ""


def picture(only: Kept | None = None) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Each function by its full name, with the objects that make it what it is; what was loaded later is left out."""
    modules = [name for name in sys.modules if name in MODULES or name.partition(".")[0] in OWN]
    for name in modules:
        for attribute, value in list(vars(sys.modules[name]).items()):
            if only is None or f"{name}.{attribute}" in only:
                yield from _shown(f"{name}.{attribute}", value, of=name)
                if isinstance(value, PLAIN) and name.partition(".")[0] in OWN:
                    yield f"{name}.{attribute}", (value,)
    for attribute in TENSOR:
        yield f"torch.Tensor.{attribute}", (getattr(torch.Tensor, attribute),)


def _shown(name: str, value: Any, *, of: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    if isinstance(value, FunctionType):
        yield name, (value, *_parts(value))
    elif isinstance(value, type):
        yield name, (value,)
        if value.__module__.startswith(of):
            # A method that shadows an inherited one would be new, so the names themselves are kept.
            yield f"{name} itself", tuple(sorted(key for key in vars(value) if not key.startswith("__")))
            for attribute, member in list(vars(value).items()):
                if isinstance(member, PLAIN) and of.partition(".")[0] in OWN and not attribute.startswith("__"):
                    yield f"{name}.{attribute}", (member,)
                if callable(member) or isinstance(member, (staticmethod, classmethod, property)):
                    function = member if isinstance(member, FunctionType) else None
                    yield f"{name}.{attribute}", (member, *(_parts(function) if function else ()))
    elif isinstance(value, (BuiltinFunctionType, ModuleType)):
        yield name, (value,)


def _parts(function: FunctionType) -> tuple[Any, ...]:
    return (function.__code__, function.__defaults__, function.__kwdefaults__)
