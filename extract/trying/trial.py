"""What a new harness is tried on, in forks of a warm interpreter (kmaint/forking). Needs what the harness needs."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

ROOTS = ("torch", "triton", "numpy", "pytest")
OWN = ("kernel", "shims", "program")
REQUIREMENT = re.compile(r"[\w.-]+")


def allowed() -> list[str]:
    """Top-level modules that an environment with torch, triton and pytest has, the standard library's left out."""
    pending, seen, modules = list(ROOTS), set[str](), set[str]()
    while pending:
        match = REQUIREMENT.match(pending.pop())
        name = match[0].lower().replace("_", "-") if match else ""
        if not name or name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        modules.update((found.read_text("top_level.txt") or "").split() or _top_level(found.files or ()))
        pending += [one for one in found.requires or () if "extra ==" not in one]
    return sorted(modules)


def _top_level(files: Iterable[metadata.PackagePath]) -> set[str]:
    return {file.parts[0].removesuffix(".py") for file in files if file.suffix == ".py"}


class Refusing:
    """A finder that refuses every package but some: what is not allowed is as absent as where it is not installed."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(allowed) | sys.stdlib_module_names

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """None, so that the next finder is asked; ModuleNotFoundError for what is not allowed and is there.

        Of what is not there either the others say so, to who only asks whether it is.
        """
        others = [one for one in sys.meta_path if one is not self]
        if name.partition(".")[0] not in self._allowed and any(one.find_spec(name, path, target) for one in others):
            self._refuse(name)
        return None

    @staticmethod
    def _refuse(name: str) -> NoReturn:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    def forget_others(self) -> None:
        """What this process has imported already is refused too."""
        for name in list(sys.modules):
            if name.partition(".")[0] not in self._allowed:
                sys.modules[name] = None  # type: ignore[assignment]  # how the import system marks what may not be had


def imports(entry: str, allowed: list[str]) -> None:
    """Import the folder's kernel.py where there is nothing but the allowed packages; raises what that raises."""
    refusing = Refusing([*allowed, *OWN])
    refusing.forget_others()
    sys.meta_path.insert(0, refusing)
    found = getattr(importlib.import_module("kernel"), entry)
    if not callable(found):
        raise TypeError(f"{entry} is no function")


def settings(kernel: str) -> list[str]:
    """The parameters and launch options that a kernel's decorators set, which its caller may therefore not give."""
    found: Any = getattr(importlib.import_module("kernel"), kernel)
    names: set[str] = set()
    while found is not None:
        if hasattr(found, "configs"):  # triton.autotune
            names.update(["num_warps", "num_stages"], *(config.kwargs for config in found.configs))
        if isinstance(values := getattr(found, "values", None), dict):  # triton.heuristics
            names.update(values)
        found = getattr(found, "fn", None)
    return sorted(names)


def smoke(entry: str, device: str) -> None:
    """Run the smoke example of the folder's own suite; raises what that raises."""
    suite: ModuleType = importlib.import_module("test_kernel")
    with importlib.import_module("runtime.suite").opened(Path.cwd(), entry, device) as pair:
        suite.test_smoke(pair)
