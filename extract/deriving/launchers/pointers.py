"""What a kernel's own text does with its parameters: which are pointers that it loads or stores through."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

ACCESS = re.compile(r"tl\.(load|store|atomic_\w+)")
NO_POINTER = re.compile(r"(^|_)(stride|strides|num|size|numel|eps|dim|n|m|k)(_|\d|$)|stride")
"""How a parameter is named that holds a number."""

Names = Mapping[str, set[str]]


@dataclass
class Uses:
    """Parameters that are loaded through, stored through, and whose loaded values go into an address."""

    loaded: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    indices: set[str] = field(default_factory=set)


def uses_of(kernel: ast.FunctionDef) -> Uses:
    """In the order of the lines; what a branch leaves out is taken to happen."""
    reader = _Reader(kernel)
    steps = (node for node in ast.walk(kernel) if isinstance(node, ast.Assign | ast.AugAssign | ast.Call))
    for node in sorted(steps, key=lambda node: (node.lineno, isinstance(node, ast.Assign))):
        if isinstance(node, ast.Call):
            reader.call(node)
        else:
            reader.assign(node)
    numbers = {argument.arg for argument in kernel.args.args if not pointer_like(argument.arg, kernel)}
    found = reader.uses
    return Uses(found.loaded - numbers, found.stored - numbers, found.indices - numbers)


def pointer_like(name: str, kernel: ast.FunctionDef) -> bool:
    """Whether a kernel's parameter can be a pointer: not a constexpr, a stride or a count by its name or annotation."""
    argument = next((a for a in kernel.args.args if a.arg == name), None)
    if argument is None or argument.annotation is not None:
        return False
    return not NO_POINTER.search(name.removesuffix("_ptr").lower()) or name.lower().endswith(("_ptr", "ptr"))


class _Reader:
    """Of each local name: which parameters it was computed from, and through which of them it was loaded."""

    def __init__(self, kernel: ast.FunctionDef) -> None:
        self._kernel, self._parameters = kernel, {argument.arg for argument in kernel.args.args}
        self._origin: dict[str, set[str]] = {name: {name} for name in self._parameters}
        self._loaded_from: dict[str, set[str]] = {}
        self.uses = Uses()

    def call(self, node: ast.Call) -> None:
        function = ast.unparse(node.func)
        if node.args and ACCESS.fullmatch(function):
            address = _names(node.args[0])
            into = self.uses.loaded if "load" in function else self.uses.stored
            into |= _of(address, self._origin) & self._parameters
            self.uses.indices |= _of(address, self._loaded_from)

    def assign(self, node: ast.Assign | ast.AugAssign) -> None:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if not isinstance(target, ast.Name):
            return
        kept = {target.id} if isinstance(node, ast.AugAssign) else set()
        used, calls = _names(node.value) | kept, list(_loads(node.value))
        through = {name for call in calls for name in _names(call.args[0])}
        loaded = (_of(through, self._origin) & self._parameters) | _of(used, self._loaded_from)
        self._loaded_from[target.id] = {name for name in loaded if pointer_like(name, self._kernel)}
        if not calls:
            self._origin[target.id] = _of(used, self._origin)


def _loads(value: ast.expr) -> Iterable[ast.Call]:
    for node in ast.walk(value):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "tl.load" and node.args:
            yield node


def _names(node: ast.expr) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _of(names: Iterable[str], known: Names) -> set[str]:
    return {found for name in names for found in known.get(name, ())}
